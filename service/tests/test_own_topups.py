"""Top-ups that customers start themselves, for their own wallet and for no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import Service, balance, open_wallet, running_service
from .tenants import JWT_SECRET, USER_ID, Customer, customer_of, make_token, running_wallet_service
from .workers import eventually

Connection = psycopg.Connection[Any]

API_TOKEN = "t0ken-of-the-tests-" + "x" * 20
PUBLIC_URL = "https://pay.example.com/billing"


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
async def sandbox(database: str) -> AsyncIterator[RunningSandbox]:
    """A Stripe that reports to a service of its own."""
    async with (
        running_service(database) as reported_to,
        running_test_sandbox(webhook=reported_to.webhook) as running,
    ):
        yield running


@pytest.fixture
async def start(database: str, sandbox: RunningSandbox) -> AsyncIterator[Callable[..., Any]]:
    """Starts services that ask the sandbox, with further settings."""
    async with AsyncExitStack() as stack:

        async def start_service(**settings: Any) -> Service:
            keys = {"stripe_secret_key": KEY, "stripe_api_base": sandbox.url}
            return await stack.enter_async_context(
                running_wallet_service(database, **{**keys, "api_token": API_TOKEN, **settings})
            )

        yield start_service


async def test_from_the_click_to_the_balance(
    connection: Connection, sandbox: RunningSandbox, start: Callable[..., Any]
) -> None:
    org_id = open_wallet(connection)
    service = await start()
    customer = Customer(service, make_token(org_id), by_cookie=True)

    begun = await customer.post("/topups", amount_pence=25_00, request_key="click-1")
    assert begun.status == 200
    assert begun.body["amount_pence"] == 25_00
    again = await customer.post("/topups", amount_pence=25_00, request_key="click-1")
    assert again.body == begun.body
    [session] = await sandbox.objects("checkout.session")
    assert session["url"] == begun.body["checkout_url"]
    assert session["client_reference_id"] == str(org_id)
    assert session["metadata"]["userId"] == USER_ID
    assert session["metadata"]["userEmail"] == "zoe@example.com"
    page = service.url + "/wallet?topup_id=" + begun.body["topup_id"]
    assert session["success_url"] == page + "&checkout=success"
    assert session["cancel_url"] == page + "&checkout=cancelled"

    path = f"/topups/{begun.body['topup_id']}"
    topup = (await customer.get(path)).body
    assert (topup["status"], topup["credited"]) == ("pending", False)
    assert topup["checkout_url"] == session["url"]

    await sandbox.pay(session["id"])
    await eventually(lambda: balance(connection, org_id) == 25_00)
    topup = (await customer.get(path)).body
    assert (topup["status"], topup["credited"]) == ("paid", True)
    assert (topup["amount_formatted"], topup["balance_formatted"]) == ("£25.00", "£25.00")
    assert topup["checkout_url"] is None


async def test_one_returns_to_the_page_that_one_came_from(
    connection: Connection, sandbox: RunningSandbox, start: Callable[..., Any]
) -> None:
    shop = "https://shop.example.com/paid"
    behind_proxy = await start(public_url=PUBLIC_URL, checkout_return_url=shop)
    alone = await start(public_url=PUBLIC_URL)
    for service, by_cookie, page in (
        (behind_proxy, True, PUBLIC_URL + "/wallet"),
        (behind_proxy, False, shop),
        (alone, False, PUBLIC_URL + "/wallet"),
    ):
        org_id = open_wallet(connection)
        customer = Customer(service, make_token(org_id), by_cookie)
        assert (await customer.post("/topups", amount_pence=25_00)).status == 200
        [session] = await sandbox.objects("checkout.session", client_reference_id=str(org_id))
        assert session["success_url"].startswith(page + "?topup_id=")


async def test_nobody_starts_a_top_up_for_another_organization(
    connection: Connection, sandbox: RunningSandbox, start: Callable[..., Any]
) -> None:
    mine, theirs = open_wallet(connection), open_wallet(connection)
    service = await start()
    customer = customer_of(service, mine)
    for wish in (
        {"org_id": str(theirs)},
        {"user_id": "user-7"},
        {"return_url": "https://evil.example"},
    ):
        answer = await customer.post("/topups", amount_pence=25_00, **wish)
        assert answer.outcome == "400 invalid_request"
        assert answer.body["message"].startswith(f"{next(iter(wish))}: ")
    assert await sandbox.count("checkout.session") == 0

    # Nor does the same key find another's.
    first = await customer_of(service, theirs).post(
        "/topups", amount_pence=25_00, request_key="click-1"
    )
    second = await customer.post("/topups", amount_pence=25_00, request_key="click-1")
    assert second.body["topup_id"] != first.body["topup_id"]
    sessions = await sandbox.objects("checkout.session")
    assert [session["client_reference_id"] for session in sessions] == [str(theirs), str(mine)]
    assert (await customer.get(f"/topups/{first.body['topup_id']}")).outcome == (
        "404 topup_not_found"
    )


async def test_refusals_and_misuse_are_told_like_to_a_backend(
    connection: Connection, sandbox: RunningSandbox, start: Callable[..., Any]
) -> None:
    org_id = open_wallet(connection)
    service = await start()
    customer = customer_of(service, org_id)
    low = await customer.post("/topups", amount_pence=1)
    assert low.outcome == "422 amount_out_of_range"
    assert low.body["min_pence"] == 5_00
    assert (await customer.post("/topups", plan="gold")).outcome == "422 plan_not_found"
    for field, wish in (
        ("amount_pence", {}),
        ("amount_pence", {"amount_pence": -(2**63)}),
        ("amount_pence", {"amount_pence": -(2**63) - 1}),
        ("amount_pence", {"amount_pence": "2500"}),
        ("request_key", {"amount_pence": 25_00, "request_key": ""}),
    ):
        answer = await customer.post("/topups", **wish)
        assert answer.outcome == "400 invalid_request", wish
        assert answer.body["message"].startswith(f"{field}: ")
    connection.execute("select wallet.freeze_wallet(%s, 'a chargeback', 'a test')", [org_id])
    assert (await customer.post("/topups", amount_pence=25_00)).outcome == "409 wallet_frozen"
    stranger = customer_of(service, uuid4())
    answer = await stranger.post("/topups", amount_pence=25_00)
    assert answer.outcome == "404 organization_not_found"
    assert await sandbox.count("customer") == 0


async def test_stripe_that_is_out_is_502_and_the_log_names_the_organization(
    connection: Connection, sandbox: RunningSandbox, start: Callable[..., Any]
) -> None:
    org_id = open_wallet(connection)
    await sandbox.fault("POST", "/v1/checkout/sessions", answer=500, times=3)
    customer = customer_of(await start(), org_id)
    with capture_logs() as logs:
        answer = await customer.post("/topups", amount_pence=25_00)
        assert answer.outcome == "502 stripe_unavailable"
    [line] = [line for line in logs if line.get("path") == "/api/wallet/topups"]
    assert line["orgId"] == str(org_id)
    assert "zoe@example.com" not in str(logs)
    assert (await customer.post("/topups", amount_pence=25_00)).status == 200


async def test_the_same_path_serves_backends_and_customers(
    connection: Connection, start: Callable[..., Any]
) -> None:
    org_id = open_wallet(connection)
    new_token = "another-t0ken-of-the-tests-" + "y" * 20
    service = await start(
        api_token=f"{new_token}, {API_TOKEN}", checkout_return_url="https://shop.example.com/paid"
    )
    url = service.url + "/api/wallet/topups"

    async def ask(token: str, **wish: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        async with service.client.post(url, json=wish, headers=headers) as response:
            return response.status

    for backend in (new_token, API_TOKEN):
        assert await ask(backend, org_id=str(org_id), amount_pence=25_00) == 200
        # A backend has no wallet of its own.
        assert await ask(backend, amount_pence=25_00) == 400
        async with service.client.get(
            service.url + "/api/wallet/summary", headers={"Authorization": f"Bearer {backend}"}
        ) as response:
            assert response.status == 401
    assert await ask(make_token(org_id), amount_pence=25_00) == 200
    for stranger in (f"{new_token}, {API_TOKEN}", API_TOKEN[:-1], JWT_SECRET, ""):
        assert await ask(stranger, org_id=str(org_id), amount_pence=25_00) == 401


async def test_without_a_stripe_key_the_service_says_so(
    database: str, connection: Connection
) -> None:
    org_id: UUID = open_wallet(connection)
    async with running_wallet_service(database) as service:
        answer = await customer_of(service, org_id).post("/topups", amount_pence=25_00)
    assert answer.outcome == "503 not_configured"
    assert "STRIPE_SECRET_KEY" in answer.body["message"]
