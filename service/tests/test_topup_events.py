"""How a top-up comes along, told while it does: by notifications, and without them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiohttp import ClientResponse
from structlog.testing import capture_logs

from ..database.notifications import Watchers
from ..http import topup_events
from ..http.tenants import call_as
from ..run import SERVICE_ROLE
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import open_wallet, running_service
from .tenants import Customer, customer_of, make_token, running_wallet_service
from .workers import eventually

Connection = psycopg.Connection[Any]

LISTENERS = """
    select pid from pg_catalog.pg_stat_activity
     where datname = current_database() and query = 'listen "pgwallet_topups"'
"""


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    org_id = open_wallet(connection)
    connection.execute("select wallet.attach_stripe_customer(%s, %s)", [org_id, f"cus_{org_id}"])
    return org_id


def begin(connection: Connection, org_id: UUID, pence: int = 25_00) -> str:
    """The id of a top-up that waits to be paid."""
    [(answer,)] = connection.execute(
        "select wallet.begin_topup(%s, %s, p_return_url => 'https://shop.example.com')",
        [org_id, pence],
    ).fetchall()
    return str(answer["topup_id"])


def set_status(connection: Connection, topup_id: str, status: str) -> None:
    connection.execute("update wallet.topups set status = %s where id = %s", [status, topup_id])


@dataclass
class Stream:
    response: ClientResponse

    async def next(self) -> dict[str, Any]:
        """The next event's data; heartbeats don't count."""
        event = await self.next_block()
        while event == [": still here"]:
            event = await self.next_block()
        assert event[0] == "event: topup"
        data: dict[str, Any] = json.loads(event[1].removeprefix("data: "))
        return data

    async def next_block(self) -> list[str]:
        async with asyncio.timeout(20):
            block = (await self.response.content.readuntil(b"\n\n")).decode()
        assert block.endswith("\n\n"), "the stream has ended"
        return block.strip().split("\n")

    async def has_ended(self) -> bool:
        async with asyncio.timeout(20):
            return await self.response.content.read() == b""


@asynccontextmanager
async def stream(customer: Customer, topup_id: str) -> AsyncIterator[Stream]:
    async with customer.request("GET", f"/topups/{topup_id}/events") as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        assert response.headers["Cache-Control"] == "no-store"
        yield Stream(response)


async def outcome(customer: Customer, topup_id: str) -> str:
    return (await customer.get(f"/topups/{topup_id}/events")).outcome


@pytest.fixture
async def sandbox(database: str) -> AsyncIterator[RunningSandbox]:
    async with (
        running_service(database) as reported_to,
        running_test_sandbox(webhook=reported_to.webhook) as running,
    ):
        yield running


async def test_a_payment_is_told_once_the_ledger_has_it(
    database: str, connection: Connection, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 60)
    org_id = open_wallet(connection)
    async with running_wallet_service(
        database, stripe_secret_key=KEY, stripe_api_base=sandbox.url
    ) as service:
        customer = customer_of(service, org_id)
        begun = (await customer.post("/topups", amount_pence=25_00)).body
        async with stream(customer, begun["topup_id"]) as events:
            told = await events.next()
            assert (told["status"], told["credited"]) == ("pending", False)
            assert told == (await customer.get(f"/topups/{begun['topup_id']}")).body
            await eventually(lambda: connection.execute(LISTENERS).rowcount)
            await sandbox.pay(begun["checkout_session_id"])
            while not told["credited"]:
                told = await events.next()
            assert (told["status"], told["balance_pence"]) == ("paid", 25_00)
            assert await events.has_ended()


async def test_a_failure_is_told_and_the_customer_may_pay_yet(
    database: str, connection: Connection, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 0.05)
    org_id = open_wallet(connection)
    async with running_wallet_service(
        database, stripe_secret_key=KEY, stripe_api_base=sandbox.url
    ) as service:
        customer = customer_of(service, org_id)
        begun = (await customer.post("/topups", amount_pence=25_00)).body
        async with stream(customer, begun["topup_id"]) as events:
            told = await events.next()
            await sandbox.pay(begun["checkout_session_id"], "4000 0000 0000 9995")
            while told["status"] != "failed":
                told = await events.next()
            assert not told["credited"]
            await sandbox.pay(begun["checkout_session_id"])
            while not told["credited"]:
                told = await events.next()


@pytest.mark.parametrize("status", ["expired", "canceled"])
async def test_what_is_over_ends_the_stream(
    database: str, connection: Connection, org_id: UUID, status: str
) -> None:
    topup_id = begin(connection, org_id)
    async with running_wallet_service(database) as service:
        customer = customer_of(service, org_id)
        async with stream(customer, topup_id) as events:
            assert (await events.next())["status"] == "pending"
            set_status(connection, topup_id, status)
            assert (await events.next())["status"] == status
            assert await events.has_ended()
        # And so it does at once for whoever comes later.
        async with stream(customer, topup_id) as events:
            assert (await events.next())["status"] == status
            assert await events.has_ended()


async def test_only_ones_own_top_ups_can_be_followed(
    database: str, connection: Connection, org_id: UUID
) -> None:
    topup_id = begin(connection, org_id)
    async with running_wallet_service(database) as service:
        assert await outcome(customer_of(service, org_id), str(uuid4())) == "404 topup_not_found"
        stranger = customer_of(service, open_wallet(connection))
        assert await outcome(stranger, topup_id) == "404 topup_not_found"
        nobody = customer_of(service, uuid4())
        assert await outcome(nobody, topup_id) == "404 organization_not_found"
        assert await outcome(Customer(service, "hunter2"), topup_id) == "401 unauthorized"
        # An EventSource sends the cookie, and can set no header.
        async with stream(
            Customer(service, make_token(org_id), by_cookie=True), topup_id
        ) as events:
            assert (await events.next())["org_id"] == str(org_id)


async def test_streams_share_one_connection_that_comes_back(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 60)
    topup_id = begin(connection, org_id)
    async with running_wallet_service(database) as service, AsyncExitStack() as stack:
        assert connection.execute(LISTENERS).rowcount == 0
        customer = customer_of(service, org_id)
        streams = [await stack.enter_async_context(stream(customer, topup_id)) for _ in range(3)]
        for events in streams:
            await events.next()
        await eventually(lambda: connection.execute(LISTENERS).rowcount == 1)
        with capture_logs() as logs:
            [(pid,)] = connection.execute(LISTENERS).fetchall()
            connection.execute("select pg_terminate_backend(%s, 5000)", [pid])
            # Nobody hears of this one, and whoever listens again looks.
            set_status(connection, topup_id, "failed")
            for events in streams:
                assert (await events.next())["status"] == "failed"
        assert [line["event"] for line in logs if "listener" in line["event"]] == [
            "listener_disconnected"
        ]


async def test_without_notifications_a_stream_looks_for_itself(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind PgBouncer's transaction mode."""
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(topup_events, "CHANNEL", "another")
    topup_id = begin(connection, org_id)
    async with (
        running_wallet_service(database) as service,
        stream(customer_of(service, org_id), topup_id) as events,
    ):
        await events.next()
        set_status(connection, topup_id, "expired")
        assert (await events.next())["status"] == "expired"


async def test_another_organizations_changes_wake_nobody(
    database: str, connection: Connection
) -> None:
    watchers = Watchers(database, "a_channel", most=9, most_a_payload=9)
    with watchers.watch("mine") as mine, watchers.watch("theirs") as theirs:
        async with asyncio.timeout(10):
            await mine.wait()  # for what happened before anybody listened
            mine.clear()
            theirs.clear()
            connection.execute("select pg_notify('a_channel', 'theirs')")
            await theirs.wait()
    assert not mine.is_set()
    await watchers.close()


async def test_a_stream_looks_when_there_is_something_to_see(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 60)
    looks = 0

    async def count(*args: Any) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        return await call_as(*args)

    monkeypatch.setattr(topup_events, "call_as", count)
    topup_id = begin(connection, org_id)
    async with running_wallet_service(database) as service:
        customer = customer_of(service, org_id)
        async with stream(customer, topup_id) as events:
            await events.next()
            set_status(connection, topup_id, "failed")
            assert (await events.next())["status"] == "failed"
            for _ in range(20):
                await customer.get("/summary")
    # To begin with, once somebody listened, and for the change.
    assert looks <= 3


async def test_a_stream_tells_that_it_is_alive(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 0.02)
    monkeypatch.setattr(topup_events, "HEARTBEAT_SECONDS", 0.1)
    topup_id = begin(connection, org_id)
    async with (
        running_wallet_service(database) as service,
        stream(customer_of(service, org_id), topup_id) as events,
    ):
        await events.next()
        for _ in range(3):
            assert await events.next_block() == [": still here"]


@pytest.mark.parametrize("longest", [0.3, 600])
async def test_a_stream_ends_with_its_time_or_with_the_token(
    database: str,
    connection: Connection,
    org_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    longest: float,
) -> None:
    monkeypatch.setattr(topup_events, "LONGEST_SECONDS", longest)
    seconds = 3600 if longest < 1 else 1
    topup_id = begin(connection, org_id)
    async with running_wallet_service(database) as service:
        customer = customer_of(service, org_id, exp=int(time.time()) + seconds)
        async with stream(customer, topup_id) as events:
            await events.next()
            assert await events.has_ended()


async def test_there_are_not_more_streams_than_a_process_can_bear(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "MOST_STREAMS", 7)
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 0.05)
    other = open_wallet(connection)
    connection.execute("select wallet.attach_stripe_customer(%s, 'cus_other')", [other])
    topup_id, other_topup_id = begin(connection, org_id), begin(connection, other)
    async with running_wallet_service(database) as service:
        customer, neighbour = customer_of(service, org_id), customer_of(service, other)
        async with AsyncExitStack() as stack:
            for _ in range(5):
                await stack.enter_async_context(stream(customer, topup_id))
            assert await outcome(customer, topup_id) == "503 too_many_streams"
            for _ in range(2):
                await stack.enter_async_context(stream(neighbour, other_topup_id))
            assert await outcome(neighbour, other_topup_id) == "503 too_many_streams"
            # The answer that a stream repeats is there without one.
            assert (await neighbour.get(f"/topups/{other_topup_id}")).status == 200

        # Those who have gone make room.
        async with asyncio.timeout(30), AsyncExitStack() as stack:
            for _ in range(5):
                while not await has_opened(stack, customer, topup_id):
                    pass


async def has_opened(stack: AsyncExitStack, customer: Customer, topup_id: str) -> bool:
    response = await stack.enter_async_context(
        customer.request("GET", f"/topups/{topup_id}/events")
    )
    return response.status == 200


async def test_a_service_that_stops_ends_its_streams_at_once(
    database: str, connection: Connection, org_id: UUID
) -> None:
    topup_id = begin(connection, org_id)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running_wallet_service(database))
        async with stream(customer_of(service, org_id), topup_id) as events:
            await events.next()
            async with asyncio.timeout(10):  # half of what requests are waited for
                await stack.aclose()
            assert await events.has_ended()
    assert connection.execute(LISTENERS).rowcount == 0


async def test_a_database_that_goes_away_ends_the_stream_and_it_can_be_asked_for_again(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topup_events, "REREAD_SECONDS", 0.05)
    topup_id = begin(connection, org_id)
    async with running_wallet_service(database) as service:
        customer = customer_of(service, org_id)
        async with stream(customer, topup_id) as events:
            await events.next()
            connection.execute(f"revoke wallet_gateway from {SERVICE_ROLE}")
            try:
                assert await events.has_ended()
                assert await outcome(customer, topup_id) == "503 database_unavailable"
            finally:
                connection.execute(f"grant wallet_gateway to {SERVICE_ROLE}")
        async with stream(customer, topup_id) as events:
            await events.next()
