"""The HTTP service as the tests use it: within the test's loop, or as a process of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from aiohttp import ClientSession
from yarl import URL

from ..http.app import STRIPE_WEBHOOK_PATH, listen, running
from ..run import SERVICE_ROLE, ensure_service_role
from ..sandbox import events
from ..settings import EXPECTED, ServiceSettings

CHECKOUT = Path(__file__).resolve().parents[2]
WHSEC = "whsec_of_the_tests"

Found = TypeVar("Found")


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def outcome(self) -> str:
        """Status and result in one word, such as `200 processed`."""
        return f"{self.status} {self.body.get('outcome') or self.body['error']}"


@dataclass(frozen=True)
class Service:
    url: str
    client: ClientSession

    @property
    def webhook(self) -> str:
        return self.url + STRIPE_WEBHOOK_PATH

    async def deliver(self, event: Mapping[str, Any], secret: str = WHSEC) -> Answer:
        """Send an event as Stripe does."""
        body = events.encode(event)
        return await self.post(body, {"Stripe-Signature": events.sign(body, secret)})

    async def post(self, body: bytes | AsyncIterator[bytes], headers: Mapping[str, str]) -> Answer:
        return await self.send(STRIPE_WEBHOOK_PATH, body, headers)

    async def send(
        self, path: str, body: bytes | AsyncIterator[bytes], headers: Mapping[str, str]
    ) -> Answer:
        """Post to a path, which is sent as it is given."""
        url = URL(self.url + path, encoded=True)
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        async with self.client.post(url, data=data, headers=headers) as response:
            return Answer(response.status, await response.json())

    async def health(self) -> Answer:
        async with self.client.get(self.url + "/health") as response:
            return Answer(response.status, await response.json())


async def exchange(service: Service, *parts: bytes) -> Answer:
    """The answer to these bytes, sent with a pause after each part."""
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            [length] = re.findall(r"Content-Length: (\d+)", head)
            body = json.loads(await reader.readexactly(int(length)))
    finally:
        writer.close()
    return Answer(int(head.split()[1]), body)


@asynccontextmanager
async def running_service(
    database: str, *, secrets: str = WHSEC, **settings: Any
) -> AsyncIterator[Service]:
    """The service on this database, connected as a role that is only in wallet_webhook."""
    ensure_service_role(database)
    loaded = ServiceSettings.load(
        database_url=service_url(database), stripe_webhook_secret=secrets, **settings
    )
    with listen("127.0.0.1", 0) as listener:
        async with running(loaded, listener) as url, ClientSession() as client:
            yield Service(url, client)


def service_url(database: str) -> str:
    return database.replace("//postgres@", f"//{SERVICE_ROLE}@", 1)


def open_wallet(
    connection: psycopg.Connection[Any],
    *,
    balance_pence: int = 0,
    org_id: UUID | None = None,
    currency: str = "gbp",
) -> UUID:
    org_id = org_id or uuid4()
    connection.execute("select wallet.create_wallet(%s, p_currency => %s)", [org_id, currency])
    if balance_pence:
        connection.execute(
            "select wallet.add_wallet_credits(%s, %s, 'bonus', p_idempotency_key => 'opening')",
            [org_id, balance_pence],
        )
    return org_id


def balance(connection: psycopg.Connection[Any], org_id: UUID) -> int:
    [(pence,)] = connection.execute(
        "select wallet_balance_pence from wallet.organizations where id = %s", [org_id]
    ).fetchall()
    return int(pence)


def topups(connection: psycopg.Connection[Any], org_id: UUID) -> list[tuple[int, str | None]]:
    """Amount and payment intent of every credit that a payment has made."""
    return connection.execute(
        """
        select amount_pence, stripe_payment_intent_id from wallet.credit_transactions
         where org_id = %s and type = 'topup'
         order by entry_number
        """,
        [org_id],
    ).fetchall()


def stored_events(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, int]]:
    """Status and attempts of every event that was stored."""
    rows = connection.execute(
        "select event_id, status, attempts from wallet.processed_stripe_webhooks"
    )
    return {event_id: (status, attempts) for event_id, status, attempts in rows}


async def wait_for_lock(connection: psycopg.Connection[Any], other_than: int = 0) -> int:
    """The process id of the session that waits for another one's lock, once there is one."""
    async with asyncio.timeout(10):
        while True:
            rows = connection.execute(
                """
                select pid from pg_catalog.pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock' and pid <> %s
                """,
                [other_than],
            ).fetchall()
            if rows:
                return int(rows[0][0])
            await asyncio.sleep(0.01)


@contextmanager
def locked_wallet(connection: psycopg.Connection[Any], org_id: UUID) -> Iterator[None]:
    """Another session holds the wallet's row, until the end of the block."""
    with connection.transaction():
        connection.execute(
            "select from wallet.organizations where id = %s for no key update", [org_id]
        )
        yield


class WalletProcess:
    """`wallet ...` as a process of its own, which is ended with its block if not before."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self._stdout = folder / "stdout.txt"
        self._stderr = folder / "stderr.txt"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                wallet_command(*arguments),
                cwd=folder,
                env=wallet_environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()

    @property
    def output(self) -> str:
        return self._stdout.read_text() + self.log

    @property
    def log(self) -> str:
        return self._stderr.read_text()

    def wait_for_url(self) -> str:
        """The address of the service, once it answers there."""
        [url] = self.wait_until(
            lambda: re.findall(r'"event": "started", "url": "(.*?)"', self.output)
        )
        return str(url)

    def wait_until(self, find: Callable[[], Found]) -> Found:
        deadline = time.monotonic() + 60
        while not (found := find()):
            assert self.process.poll() is None, (
                f"ended with {self.process.returncode}: {self.output}"
            )
            assert time.monotonic() < deadline, f"waited in vain: {self.output}"
            time.sleep(0.01)
        return found

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Its exit code after this signal."""
        self.process.send_signal(signal_number)
        return self.process.wait(60)


def wallet(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `wallet ...` to its end."""
    return subprocess.run(
        wallet_command(*arguments),
        cwd=folder,
        env=wallet_environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def wallet_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", *arguments]


def wallet_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """These settings alone, whatever the developer's environment has."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in EXPECTED and not name.startswith("PG")
    }
    return {**inherited, "PYTHONPATH": str(CHECKOUT), **settings}
