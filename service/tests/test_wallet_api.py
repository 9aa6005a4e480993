"""/api/wallet over HTTP: what a customer sees, and that it is theirs alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from .recharges import spend
from .services import Service, open_wallet
from .tenants import USER_ID, Customer, customer_of, running_wallet_service

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    return open_wallet(connection, balance_pence=50_00)


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_wallet_service(database) as running:
        yield running


@pytest.fixture
def customer(service: Service, org_id: UUID) -> Customer:
    return customer_of(service, org_id)


async def test_the_summary_is_what_sql_says_without_the_profit(
    connection: Connection, org_id: UUID, customer: Customer
) -> None:
    spend(connection, org_id, 12_34)
    [(told,)] = connection.execute("select wallet.get_wallet_summary(%s)", [org_id]).fetchall()
    answer = await customer.get("/summary")
    assert answer.status == 200
    assert answer.body == told | {"total_profit_pence": None}
    assert answer.body["balance_formatted"] == "£37.66"


async def test_transactions_are_paged_and_filtered(
    connection: Connection, org_id: UUID, customer: Customer
) -> None:
    for pence in range(1, 6):
        spend(connection, org_id, pence)

    async def numbers(**params: Any) -> list[int]:
        answer = await customer.get("/transactions", **params)
        assert answer.status == 200, answer.body
        return [entry["entry_number"] for entry in answer.body["transactions"]]

    assert await numbers() == [6, 5, 4, 3, 2, 1]
    first = await customer.get("/transactions", limit="2")
    assert (first.body["has_more"], first.body["next_before"]) == (True, 5)
    assert await numbers(limit="2", before="5") == [4, 3]
    assert await numbers(type="bonus") == [1]
    assert await numbers(type=["bonus", "call_deduction"], limit="1") == [6]

    times = [
        datetime.fromisoformat(entry["created_at"])
        for entry in (await customer.get("/transactions")).body["transactions"]
    ]
    assert await numbers(**{"from": f"{times[2]:%Y-%m-%dT%H:%M:%S.%fZ}"}) == [6, 5, 4]
    assert await numbers(to=times[2].isoformat()) == [3, 2, 1]
    assert await numbers(to="2026-01-01T00:00:00-05:00") == []


async def test_history_is_by_the_days_of_the_customer(
    connection: Connection, org_id: UUID, customer: Customer
) -> None:
    spend(connection, org_id, 12_34)
    day = datetime.now(UTC).date()
    period = {"from": str(day - timedelta(days=1)), "to": str(day + timedelta(days=1))}
    answer = await customer.get("/history", **period, time_zone="Europe/London")
    assert answer.status == 200
    assert answer.body["time_zone"] == "Europe/London"
    assert [entry["closing_balance_pence"] for entry in answer.body["days"]][-1] == 37_66
    assert (await customer.get("/history", **period)).body["time_zone"] == "UTC"


async def test_options_and_quotes(connection: Connection, org_id: UUID, customer: Customer) -> None:
    connection.execute("select wallet.set_topup_limits('gbp', 1000, 20000, 'a test')")
    options = (await customer.get("/topup-options")).body
    assert (options["min_pence"], options["max_pence"]) == (10_00, 200_00)

    quote = (await customer.get("/quote", usd_cents="2500")).body
    assert (quote["charge_formatted"], quote["usd_formatted"]) == ("£19.75", "$25.00")
    back = (await customer.get("/quote", amount_pence="1975")).body
    assert (back["charge_formatted"], back["usd_formatted"]) == ("£19.75", "$25.00")
    for params in ({}, {"usd_cents": "1", "amount_pence": "1"}):
        answer = await customer.get("/quote", **params)
        assert answer.outcome == "400 invalid_request"
        assert answer.body["message"] == (
            "usd_cents: must be given, or amount_pence, and not both."
        )
    assert (await customer.get("/quote", usd_cents="-1")).outcome == "400 invalid_request"

    euros = open_wallet(connection, currency="eur")
    other = customer_of(customer.service, euros)
    assert (await other.get("/quote", usd_cents="2500")).outcome == "409 exchange_rate_not_found"


async def test_auto_recharge_is_the_customers_to_set(
    connection: Connection, org_id: UUID, customer: Customer
) -> None:
    before = await customer.get("/auto-recharge")
    assert (before.status, before.body["enabled"]) == (200, False)

    wish = {"enabled": True, "threshold_pence": 7_50, "amount_pence": 40_00}
    for duplicate in (False, True):
        answer = await customer.put("/auto-recharge", **wish)
        assert answer.status == 200
        assert answer.body["duplicate"] is duplicate
        assert wish.items() <= answer.body.items()
    now = await customer.get("/auto-recharge")
    assert wish.items() <= now.body.items()
    assert {
        actor
        for (actor,) in connection.execute(
            "select actor from wallet.organization_changes where org_id = %s", [org_id]
        )
    } == {f"user:{USER_ID}"}

    off = await customer.put("/auto-recharge", enabled=False)
    assert (off.body["enabled"], off.body["threshold_pence"]) == (False, 7_50)


NO_SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("enabled", {}),
    ("enabled", {"enabled": "true"}),
    ("enabled", {"enabled": None}),
    ("threshold_pence", {"enabled": True, "threshold_pence": "500"}),
    ("threshold_pence", {"enabled": True, "threshold_pence": 2**63}),
    ("amount_pence", {"enabled": True, "amount_pence": -5}),
    ("amount_pence", {"enabled": True, "amount_pence": 1.5}),
    # How much may be charged a day is for the seller to say.
    ("max_per_day", {"enabled": True, "max_per_day": 1000}),
    ("org_id", {"enabled": True, "org_id": "00000000-0000-4000-8000-000000000001"}),
]


async def test_a_setting_that_is_none_is_named(customer: Customer) -> None:
    for field, wish in NO_SETTINGS:
        answer = await customer.put("/auto-recharge", **wish)
        assert answer.outcome == "400 invalid_request", wish
        assert answer.body["message"].startswith(f"{field}: "), wish


NO_PARAMETERS = [
    ("/transactions", "limit=x", "limit"),
    ("/transactions", "limit=", "limit"),
    ("/transactions", "limit=1.0", "limit"),
    ("/transactions", "limit=1_0", "limit"),
    ("/transactions", "limit=%201", "limit"),
    ("/transactions", "limit=%D9%A1", "limit"),
    ("/transactions", "limit=0", "limit"),
    ("/transactions", "limit=-1", "limit"),
    ("/transactions", "limit=501", "limit"),
    ("/transactions", "limit=2147483648", "limit"),
    ("/transactions", "limit=" + "9" * 19, "limit"),
    ("/transactions", "limit=1&limit=2", "limit"),
    ("/transactions", "before=1e3", "before"),
    ("/transactions", "before=" + "9" * 400, "before"),
    ("/transactions", "type=sweets", "types"),
    ("/transactions", "from=2026-11-01", "from"),
    ("/transactions", "from=2026-11-01T00:00:00", "from"),
    ("/transactions", "from=2026-11-01T00:00:00+00:00", "from"),  # a blank, decoded
    ("/transactions", "from=2026-13-01T00:00:00Z", "from"),
    ("/transactions", "from=0000-01-01T00:00:00Z", "from"),
    ("/transactions", "to=1764547200", "to"),
    ("/transactions", "to=now", "to"),
    ("/transactions", "p_org_id=1", "p_org_id"),
    ("/transactions", "org_id=1", "org_id"),
    ("/transactions.csv", "from=yesterday", "from"),
    ("/transactions.csv", "limit=1", "limit"),
    ("/transactions.csv", "type=sweets", "types"),
    ("/history", "", "from"),
    ("/history", "from=2026-11-01", "to"),
    ("/history", "from=2026-11-01&to=2026-11-31", "to"),
    ("/history", "from=2026-11-01T00:00:00Z&to=2026-11-30", "from"),
    ("/history", "from=2026-11-02&to=2026-11-01", "to"),
    ("/history", "from=2026-01-01&to=2027-12-31", "to"),
    ("/history", "from=2026-11-01&to=2026-11-02&time_zone=Mars/Olympus", "time_zone"),
    ("/history", "from=2026-11-01&to=2026-11-02&time_zone=", "time_zone"),
    ("/quote", "usd_cents=1.5", "usd_cents"),
    ("/quote", "amount_pence=0", "amount_pence"),
    ("/topups/7", "", "topup_id"),
    ("/topups/7/events", "", "topup_id"),
]


async def test_a_parameter_that_is_none_is_named(customer: Customer) -> None:
    for path, query, field in NO_PARAMETERS:
        answer = await customer.ask("GET", f"{path}?{query}")
        assert answer.outcome == "400 invalid_request", query
        assert answer.body["message"].startswith(f"{field}: "), answer.body


async def test_what_the_database_can_not_store_is_the_callers_fault(customer: Customer) -> None:
    for query in (
        "/transactions?type=a%00b",
        "/history?from=2026-11-01&to=2026-11-02&time_zone=a%00b",
    ):
        assert (await customer.ask("GET", query)).outcome == "400 invalid_request"


async def test_times_may_be_as_early_and_as_late_as_they_can_be_written(
    customer: Customer,
) -> None:
    query = "from=0001-01-01T00:00:00%2B23:59&to=9999-12-31T23:59:59.999999-23:59"
    answer = await customer.ask("GET", f"/transactions?{query}")
    assert len(answer.body["transactions"]) == 1
