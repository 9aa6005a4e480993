"""The worker as the tests use it, and a receiver for what it delivers."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from aiohttp import web
from psycopg.types.json import Jsonb

from ..settings import WorkerSettings
from ..worker.work import work
from .sandboxes import RunningSandbox
from .services import WalletProcess

WORKER_ROLE = "pgwallet_test_worker"

STRIPE_KEY = "sk_test_of_the_tests"
VAPI_KEY = "hunter2-of-vapi"
ALERT_SECRET = "whsec_" + base64.b64encode(b"a secret that the receiver knows").decode()

Connection = psycopg.Connection[Any]
Respond = Callable[["Delivery"], Awaitable[int]]


@dataclass(frozen=True)
class Delivery:
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


async def accept(_delivery: Delivery) -> int:
    return 200


@dataclass
class Receiver:
    """Answers each delivery with the status that `respond` says, once it says so."""

    respond: Respond = accept
    url: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = Delivery(request.path, headers, await request.read())
        self.deliveries.append(delivery)
        status = await self.respond(delivery)
        if 200 <= status < 300 and "webhook-id" in headers:
            self.accepted[delivery.id] += 1
        return web.Response(status=status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def running_receiver(respond: Respond = accept) -> AsyncIterator[Receiver]:
    receiver = Receiver(respond)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        [address] = runner.addresses
        receiver.url = f"http://127.0.0.1:{address[1]}"
        yield receiver
    finally:
        await runner.cleanup()


def worker_url(database: str) -> str:
    """The database for a role that is only in wallet_worker."""
    with psycopg.connect(database, autocommit=True) as connection:
        roles = connection.execute(
            "select from pg_catalog.pg_roles where rolname = %s", [WORKER_ROLE]
        )
        if not roles.rowcount:
            connection.execute(f"create role {WORKER_ROLE} login in role wallet_worker")
    return database.replace("//postgres@", f"//{WORKER_ROLE}@", 1)


def worker_settings(database: str, **settings: str) -> dict[str, str]:
    """The environment of a worker that asks nothing of Stripe."""
    return {
        "DATABASE_URL": worker_url(database),
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        **settings,
    }


def alerts_to(receiver: Receiver) -> dict[str, str]:
    return {
        "ALERT_WEBHOOK_URL": receiver.url + "/alerts",
        "ALERT_WEBHOOK_SECRET": ALERT_SECRET,
    }


def vapi_at(sandbox: RunningSandbox) -> dict[str, str]:
    """The sandbox in place of Vapi."""
    return {"VAPI_API_KEY": VAPI_KEY, "VAPI_API_BASE": sandbox.vapi_url}


def start_worker(folder: Path, database: str, **settings: str) -> WalletProcess:
    return WalletProcess(folder, "worker", **worker_settings(database, **settings))


@asynccontextmanager
async def running_worker(
    database: str, settings: Mapping[str, str], *, poll_seconds: float = 0.05
) -> AsyncIterator[None]:
    """A worker within the test's loop."""
    environment = worker_settings(database, **settings)
    loaded = WorkerSettings.load(**{name.lower(): value for name, value in environment.items()})
    stop = asyncio.Event()
    worker = asyncio.create_task(work(loaded, stop, poll_seconds=poll_seconds))
    try:
        yield
    finally:
        stop.set()
        await worker


@asynccontextmanager
async def running_delivery(
    database: str, respond: Respond = accept, *, poll_seconds: float = 0.05
) -> AsyncIterator[Receiver]:
    """A worker within the test's loop, and the receiver of its webhooks."""
    async with (
        running_receiver(respond) as receiver,
        running_worker(database, alerts_to(receiver), poll_seconds=poll_seconds),
    ):
        yield receiver


async def eventually(found: Callable[[], object]) -> None:
    """Wait until this is true."""
    async with asyncio.timeout(30):
        while True:
            if found():
                return
            await asyncio.sleep(0.01)


async def until_delivered(connection: Connection, count: int) -> None:
    """Wait until so many messages, and every message of the outbox, are delivered."""
    await eventually(lambda: statuses(connection) == {"delivered": count})


def emit(
    connection: Connection,
    topic: str = "low_balance",
    payload: dict[str, Any] | None = None,
    *,
    org_id: UUID | None = None,
    count: int = 1,
) -> list[str]:
    """Put messages into the outbox, in one transaction; their ids."""
    payload = payload or {"message": "The balance is £4.99.", "balance_pence": 499}
    with connection.transaction():
        for _ in range(count):
            connection.execute(
                "select wallet.emit_message(%s, %s, %s)", [topic, org_id, Jsonb(payload)]
            )
        rows = connection.execute(
            "select id::text from wallet.outbox_messages where created_at = now()"
        )
        return [message_id for (message_id,) in rows]


def statuses(connection: Connection) -> Counter[str]:
    """How many messages of the outbox have which status."""
    rows = connection.execute("select status from wallet.outbox_messages")
    return Counter(status for (status,) in rows)


def let_time_pass(connection: Connection) -> None:
    """Every pause and every lease is over."""
    connection.execute(
        "update wallet.outbox_messages set next_try_at = now() where status = 'pending'"
    )
