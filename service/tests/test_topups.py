"""Top-ups from the click to the balance: over HTTP, by Stripe's stand-in, and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from stripe import StripeObject
from structlog.testing import capture_logs

from ..http.app import TOPUPS_PATH
from ..stripe_api import checkout
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import (
    Answer,
    Service,
    balance,
    locked_wallet,
    open_wallet,
    running_service,
    topups,
    wait_for_lock,
    wallet,
)
from .workers import eventually

Connection = psycopg.Connection[Any]

TOKEN = "t0ken-of-the-tests-" + "x" * 20
RETURN_URL = "https://shop.example.com/wallet"
SESSIONS = "/v1/checkout/sessions"


@dataclass(frozen=True)
class Shop:
    """The service that a backend asks for top-ups, and the Stripe that it asks."""

    service: Service
    sandbox: RunningSandbox

    async def ask(self, org_id: UUID | str, **wish: Any) -> Answer:
        return await self.send(json.dumps({"org_id": str(org_id), **wish}).encode())

    async def send(self, body: bytes) -> Answer:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = self.service.url + TOPUPS_PATH
        async with self.service.client.post(url, data=body, headers=headers) as response:
            return Answer(response.status, await response.json())

    async def pay(self, checkout_url: str, card: str = "4242 4242 4242 4242") -> str:
        """Pay on the hosted page; where it sends the customer."""
        form = {"action": "pay", "number": card}
        async with self.service.client.post(
            checkout_url, data=form, allow_redirects=False
        ) as response:
            return response.headers["Location"]

    async def wait_for_deliveries(self) -> None:
        """Until the service has taken every event."""
        async with asyncio.timeout(30):
            while True:
                deliveries = await self.sandbox.control("GET", "/webhooks/deliveries")
                if all(delivery["state"] == "delivered" for delivery in deliveries):
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    """Two instances of the service: Stripe reports to the one, backends ask the other."""
    async with AsyncExitStack() as stack:
        reported_to = await stack.enter_async_context(running_service(database))
        sandbox = await stack.enter_async_context(running_test_sandbox(webhook=reported_to.webhook))
        service = await stack.enter_async_context(
            running_service(
                database,
                stripe_secret_key=KEY,
                stripe_api_base=sandbox.url,
                api_token=TOKEN,
                checkout_return_url=RETURN_URL,
            )
        )
        yield Shop(service, sandbox)


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def entries(connection: Connection, org_id: UUID) -> list[tuple[str, int]]:
    return connection.execute(
        """
        select type, amount_pence from wallet.credit_transactions
         where org_id = %s order by entry_number
        """,
        [org_id],
    ).fetchall()


def offer_plan(connection: Connection, plan: str = "starter") -> None:
    connection.execute(
        "select wallet.set_topup_plan(%s, 'Starter', 'gbp', 4500, 4500, 'a test', 500)", [plan]
    )


async def test_a_topup_from_the_click_to_the_balance(shop: Shop, connection: Connection) -> None:
    org_id = open_wallet(connection, balance_pence=1_00)

    answer = await shop.ask(
        org_id, amount_pence=25_00, user_id="user-7", user_email="zoe@example.com"
    )

    assert answer.status == 200
    assert answer.body["amount_pence"] == answer.body["price_pence"] == 25_00
    assert datetime.fromisoformat(answer.body["expires_at"]).tzinfo
    [session] = await shop.sandbox.objects("checkout.session")
    assert answer.body["checkout_session_id"] == session["id"]
    assert answer.body["checkout_url"] == session["url"]
    assert session["client_reference_id"] == str(org_id)
    assert session["invoice_creation"]["enabled"] is True
    assert session["metadata"] == {
        "type": "wallet_topup",
        "org_id": str(org_id),
        "amount_pence": "2500",
        "topup_id": answer.body["topup_id"],
        "userId": "user-7",
        "userEmail": "zoe@example.com",
    }
    [asked] = await shop.sandbox.requests("POST", SESSIONS)
    assert asked["idempotency_key"] == answer.body["topup_id"]
    assert balance(connection, org_id) == 1_00

    returned_to = await shop.pay(answer.body["checkout_url"])

    assert returned_to.startswith(RETURN_URL + "?")
    await eventually(lambda: balance(connection, org_id) == 26_00)
    [intent] = await shop.sandbox.objects("payment_intent")
    assert intent["metadata"] == session["metadata"]
    assert intent["setup_future_usage"] == "off_session"
    assert topups(connection, org_id) == [(25_00, intent["id"])]
    [(customer, card)] = connection.execute(
        "select stripe_customer_id, stripe_default_pm_id from wallet.organizations where id = %s",
        [org_id],
    ).fetchall()
    assert (customer, card) == (intent["customer"], intent["payment_method"])

    for event in await shop.sandbox.objects("event"):
        await shop.sandbox.control("POST", f"/events/{event['id']}/resend")
    await shop.wait_for_deliveries()
    assert balance(connection, org_id) == 26_00


async def test_the_same_top_up_request_twice_is_two_top_ups(
    shop: Shop, connection: Connection
) -> None:
    """Peer bug 9: lago-api#5870."""
    org_id = open_wallet(connection)

    first = await shop.ask(org_id, amount_pence=25_00)
    second = await shop.ask(org_id, amount_pence=25_00)
    assert first.status == 200
    assert second.body == first.body
    other = await shop.ask(org_id, amount_pence=30_00)
    assert other.body["topup_id"] != first.body["topup_id"]

    await shop.pay(first.body["checkout_url"])
    await eventually(lambda: balance(connection, org_id) == 25_00)
    third = await shop.ask(org_id, amount_pence=25_00)
    assert third.body["topup_id"] != first.body["topup_id"]
    assert await shop.sandbox.count("checkout.session") == 3


@pytest.mark.parametrize("wish", [{}, {"request_key": "click-1"}], ids=["same amount", "same key"])
async def test_twenty_clicks_at_once_are_one_session(
    shop: Shop, connection: Connection, wish: dict[str, str]
) -> None:
    org_id = open_wallet(connection)
    # Whoever comes meanwhile is told that the key is in use.
    for path in ("/v1/customers", SESSIONS):
        await shop.sandbox.fault("POST", path, delay_seconds=1)

    answers = await asyncio.gather(
        *(shop.ask(org_id, amount_pence=25_00, **wish) for _ in range(20))
    )

    assert [answer.status for answer in answers] == [200] * 20
    assert len({answer.body["checkout_url"] for answer in answers}) == 1
    assert await shop.sandbox.count("customer") == 1
    assert await shop.sandbox.count("checkout.session") == 1
    asked = await shop.sandbox.requests("POST", SESSIONS)
    assert len(asked) > 1
    assert {request["idempotency_key"] for request in asked} == {answers[0].body["topup_id"]}


async def test_a_request_key_stands_for_one_top_up_for_ever(
    shop: Shop, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    first = await shop.ask(org_id, amount_pence=25_00, request_key="click-1")

    other = await shop.ask(org_id, amount_pence=30_00, request_key="click-1")
    assert other.outcome == "409 idempotency_conflict"
    assert other.body["original_amount_pence"] == 25_00

    await shop.pay(first.body["checkout_url"])
    await eventually(lambda: balance(connection, org_id) == 25_00)
    late = await shop.ask(org_id, amount_pence=25_00, request_key="click-1")
    assert late.outcome == "409 topup_closed"
    assert late.body["topup_id"] == first.body["topup_id"]


@pytest.mark.parametrize("lost", ["hang", "drop", 500])
async def test_a_retry_after_a_lost_answer_finds_the_same_session(
    shop: Shop, connection: Connection, monkeypatch: pytest.MonkeyPatch, lost: str | int
) -> None:
    """Stripe has made the session, and nobody was told."""
    monkeypatch.setattr(checkout, "PATIENCE_SECONDS", 0.6)
    org_id = open_wallet(connection)
    for path in ("/v1/customers", SESSIONS):
        await shop.sandbox.fault("POST", path, answer=lost, after_commit=True, times=2)

    answers = [await shop.ask(org_id, amount_pence=25_00)]
    while answers[-1].status != 200:
        assert answers[-1].outcome == "502 stripe_unavailable"
        assert len(answers) < 9
        answers.append(await shop.ask(org_id, amount_pence=25_00))

    assert len(await shop.sandbox.requests("POST", SESSIONS)) > 1
    assert await shop.sandbox.count("customer") == 1
    [session] = await shop.sandbox.objects("checkout.session")
    assert answers[-1].body["checkout_url"] == session["url"]


async def test_a_customer_who_was_refused_pays_with_another_card(
    shop: Shop, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    answer = await shop.ask(org_id, amount_pence=25_00)
    session_id = answer.body["checkout_session_id"]

    await shop.sandbox.pay(session_id, "4000 0000 0000 9995")
    await shop.wait_for_deliveries()
    assert balance(connection, org_id) == 0
    assert (await shop.ask(org_id, amount_pence=25_00)).body == answer.body

    await shop.pay(answer.body["checkout_url"])
    await eventually(lambda: balance(connection, org_id) == 25_00)


async def test_a_plan_credits_what_it_sells_and_its_bonus_as_an_entry_of_its_own(
    shop: Shop, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    offer_plan(connection)

    answer = await shop.ask(org_id, plan="starter")
    numbers = [answer.body[f"{name}_pence"] for name in ("price", "amount", "bonus")]
    assert numbers == [45_00, 45_00, 5_00]
    assert (await shop.ask(org_id, plan="starter")).body == answer.body
    [session] = await shop.sandbox.objects("checkout.session")
    assert session["amount_total"] == 45_00

    await shop.pay(answer.body["checkout_url"])
    await shop.wait_for_deliveries()
    assert entries(connection, org_id) == [("topup", 45_00), ("bonus", 5_00)]


async def test_a_session_that_expired_makes_room_for_another(
    shop: Shop, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    first = await shop.ask(org_id, amount_pence=25_00)

    await shop.sandbox.control("POST", "/clock", {"seconds": 25 * 3600})
    await shop.wait_for_deliveries()

    second = await shop.ask(org_id, amount_pence=25_00)
    assert second.body["topup_id"] != first.body["topup_id"]


async def test_refusals_have_their_numbers_and_start_nothing(
    shop: Shop, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    connection.execute("select wallet.set_topup_limits('gbp', 1000, 20000, 'a test')")

    for pence in (9_99, 200_01):
        answer = await shop.ask(org_id, amount_pence=pence)
        assert answer.outcome == "422 amount_out_of_range"
        assert (answer.body["min_pence"], answer.body["max_pence"]) == (10_00, 200_00)
    assert (await shop.ask(org_id, plan="gold")).outcome == "422 plan_not_found"
    assert (await shop.ask(uuid4(), amount_pence=25_00)).outcome == "404 organization_not_found"
    yen = open_wallet(connection, currency="jpy")
    assert (await shop.ask(yen, amount_pence=25_00)).outcome == "422 currency_not_offered"

    connection.execute("select wallet.freeze_wallet(%s, 'a chargeback', 'a test')", [org_id])
    frozen = await shop.ask(org_id, amount_pence=25_00)
    assert frozen.outcome == "409 wallet_frozen"
    assert "a chargeback" in frozen.body["message"]

    assert await shop.sandbox.count("customer") == 0
    assert await shop.sandbox.count("checkout.session") == 0


async def test_misuse_names_the_field(shop: Shop, connection: Connection) -> None:
    org_id = str(open_wallet(connection))
    for field, wish in (
        ("amount_pence", {}),
        ("amount_pence", {"amount_pence": 0}),
        ("amount_pence", {"amount_pence": "2500"}),
        ("amount_pence", {"amount_pence": 25.5}),
        ("amount_pence", {"amount_pence": True}),
        ("amount_pence", {"amount_pence": 2**63}),
        ("amount_pence", {"amount_pence": 2500, "plan": "starter"}),
        ("plan", {"plan": " "}),
        ("plan", {"plan": 7}),
        ("request_key", {"amount_pence": 2500, "request_key": "x" * 256}),
        ("return_url", {"amount_pence": 2500, "return_url": "javascript:alert(1)"}),
        ("amount", {"amount_pence": 2500, "amount": 2500}),
        ("org_id", {"amount_pence": 2500, "org_id": "acme"}),
        ("org_id", {"amount_pence": 2500, "org_id": None}),
    ):
        answer = await shop.send(json.dumps({"org_id": org_id, **wish}).encode())
        assert answer.outcome == "400 invalid_request", wish
        assert answer.body["message"].startswith(f"{field}: "), wish


async def test_a_body_that_is_none_is_refused(shop: Shop) -> None:
    start = b'{"org_id": "%s", "plan": ' % str(uuid4()).encode()
    for body, outcome in (
        (b"", "400 invalid_json"),
        (b"{", "400 invalid_json"),
        (b'{"org_id": "\xff"}', "400 invalid_json"),
        (start + rb'"a\ud800b"}', "400 invalid_json"),
        (start + rb'"a\u0000b"}', "400 invalid_request"),
        (b"[]", "400 invalid_request"),
        (b"null", "400 invalid_request"),
        (b"{}", "400 invalid_request"),
        (b" " * 300_000, "413 body_too_large"),
    ):
        assert (await shop.send(body)).outcome == outcome, body[:80]


async def test_only_who_knows_the_token_may_ask(shop: Shop, connection: Connection) -> None:
    body = json.dumps({"org_id": str(open_wallet(connection)), "amount_pence": 2500}).encode()
    url = shop.service.url + TOPUPS_PATH
    for given in (
        [],
        [TOKEN],
        ["Bearer "],
        [f"Bearer {TOKEN}x"],
        [f"Bearer {TOKEN[:-1]}"],
        [f"Basic {TOKEN}"],
        ["Bearer tökèn"],
        ["Bearer \udcff"],
        [f"Bearer {TOKEN}"] * 2,
    ):
        headers = [("Authorization", value) for value in given]
        async with shop.service.client.post(url, data=body, headers=headers) as response:
            assert response.status == 401, given
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert (await response.json())["error"] == "unauthorized"
    assert await shop.sandbox.count("customer") == 0


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, "API_TOKEN"),
        ({"stripe_secret_key": KEY}, "API_TOKEN"),
        ({"api_token": TOKEN}, "STRIPE_SECRET_KEY"),
    ],
)
async def test_a_service_without_the_settings_says_which_one_is_missing(
    database: str, settings: dict[str, str], missing: str
) -> None:
    async with running_test_sandbox() as sandbox, running_service(database, **settings) as service:
        answer = await Shop(service, sandbox).ask(uuid4(), amount_pence=25_00)
    assert answer.outcome == "503 not_configured"
    assert missing in answer.body["message"]


async def test_without_a_page_to_return_to_the_caller_has_to_name_one(
    database: str, connection: Connection
) -> None:
    async with running_test_sandbox() as sandbox:
        keys = {"stripe_secret_key": KEY, "stripe_api_base": sandbox.url, "api_token": TOKEN}
        async with running_service(database, **keys) as service:
            shop = Shop(service, sandbox)
            org_id = open_wallet(connection)
            answer = await shop.ask(org_id, amount_pence=25_00)
            assert answer.outcome == "400 invalid_request"
            assert answer.body["message"].startswith("return_url: ")

            there = "https://other.example.com/?tab=wallet"
            assert (await shop.ask(org_id, amount_pence=25_00, return_url=there)).status == 200
            [session] = await sandbox.objects("checkout.session")
            assert session["success_url"].startswith(there + "&topup_id=")


async def test_a_stripe_that_is_out_is_502_and_nothing_is_lost(
    shop: Shop, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    for status in (500, 429):
        await shop.sandbox.fault("POST", SESSIONS, answer=status, times=3)
        answer = await shop.ask(org_id, amount_pence=25_00)
        assert answer.outcome == "502 stripe_unavailable"
        await shop.sandbox.control("DELETE", "/faults")
    assert (await shop.ask(org_id, amount_pence=25_00)).status == 200


async def test_what_stripe_refuses_is_told_to_the_log_alone(
    shop: Shop, connection: Connection
) -> None:
    """The wallet's customer was deleted there."""
    org_id = open_wallet(connection)
    connection.execute("select wallet.attach_stripe_customer(%s, 'cus_gone')", [org_id])
    with capture_logs() as logs:
        answer = await shop.ask(org_id, amount_pence=25_00)
    assert answer.outcome == "502 stripe_refused"
    assert "cus_gone" not in str(answer.body)
    [line] = [line for line in logs if line.get("path") == TOPUPS_PATH]
    assert (line["stripeStatus"], line["stripeCode"]) == (400, "resource_missing")
    assert line["stripeParam"] == "customer"
    assert KEY not in str(logs)
    assert TOKEN not in str(logs)


async def test_a_page_that_is_not_https_is_kept_from_the_customer(
    shop: Shop, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id = open_wallet(connection)
    to_dict = StripeObject.to_dict

    def forged(thing: StripeObject, **options: bool) -> dict[str, Any]:
        return to_dict(thing, **options) | {"url": "http://stripe.example.com/c/pay"}

    monkeypatch.setattr(StripeObject, "to_dict", forged)
    answer = await shop.ask(org_id, amount_pence=25_00)
    assert answer.outcome == "502 stripe_refused"


async def test_a_database_that_is_stuck_is_503_and_the_retry_finds_the_session(
    shop: Shop, connection: Connection, connect: Callable[..., Connection]
) -> None:
    org_id = open_wallet(connection)
    with locked_wallet(connect(), org_id):
        asked = asyncio.create_task(shop.ask(org_id, amount_pence=25_00))
        waiting = await wait_for_lock(connection)
        connection.execute("select pg_cancel_backend(%s)", [waiting])
        assert (await asked).outcome == "503 database_unavailable"
    assert (await shop.ask(org_id, amount_pence=25_00)).status == 200


async def test_the_command_starts_the_same_session_as_the_service(
    shop: Shop, database: str, connection: Connection, tmp_path: Path
) -> None:
    org_id = open_wallet(connection)
    offer_plan(connection)
    settings = {
        "DATABASE_URL": database,
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": shop.sandbox.url,
        "CHECKOUT_RETURN_URL": RETURN_URL,
    }

    async def topup(*arguments: str, **others: str) -> tuple[int, str, str]:
        run = await asyncio.to_thread(
            wallet, tmp_path, "topup", "--org", str(org_id), *arguments, **{**settings, **others}
        )
        assert KEY not in run.stdout + run.stderr
        assert "Traceback" not in run.stderr
        return run.returncode, run.stdout, run.stderr

    code, page, _ = await topup("--amount", "2500")
    assert code == 0
    assert page.strip() == (await shop.ask(org_id, amount_pence=25_00)).body["checkout_url"]
    code, page, _ = await topup("--plan", "starter", "--request-key", "click-1")
    assert code == 0
    asked = await shop.ask(org_id, plan="starter", request_key="click-1")
    assert page.strip() == asked.body["checkout_url"]

    code, _, error = await topup("--amount", "1")
    assert (code, error) == (1, "Error: A top-up is from £5.00 to £1,000.00.\n")
    code, _, error = await topup("--amount", "2500", "--plan", "starter")
    assert (code, "Name either an --amount or a --plan." in error) == (2, True)
    code, _, error = await topup("--amount", "2500", STRIPE_API_BASE="http://127.0.0.1:9")
    assert (code, error) == (0, "")  # the session is known already
    code, _, error = await topup("--amount", "2600", STRIPE_API_BASE="http://127.0.0.1:9")
    assert code == 1
    assert "Stripe didn't answer" in error
    unset = {name: value for name, value in settings.items() if name != "STRIPE_SECRET_KEY"}
    run = await asyncio.to_thread(
        wallet, tmp_path, "topup", "--org", str(org_id), "--amount", "2500", **unset
    )
    assert (run.returncode, run.stderr) == (2, "Error: STRIPE_SECRET_KEY is not set.\n")
