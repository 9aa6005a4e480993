"""Upgrades without downtime: the released processes beside this schema, and the reverse."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiohttp import ClientConnectionError, ClientSession

from ..database.migrate import migrate
from ..database.sql_files import SqlFiles
from ..run import ensure_service_role
from ..sandbox import events
from .deployments import SERVICE_SETTINGS, deployed, work_a_day
from .interface import RELEASED
from .services import (
    CHECKOUT,
    Service,
    WalletProcess,
    balance,
    open_wallet,
    service_url,
    stored_events,
    wallet,
)
from .workers import eventually, worker_url

Connection = psycopg.Connection[Any]

ORG_ID = uuid4()

# What the login of the released service is a member of.
RELEASED_GROUPS = ("wallet_webhook",)

SUMMARY = "/api/wallet/summary"
OPTIONS = "/api/wallet/topup-options"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the released version, as the history of this one has it."""
    folder = tmp_path_factory.mktemp("released")
    commit = json.loads(RELEASED.read_text(encoding="utf-8"))["commit"]
    archive = subprocess.run(
        ["git", "-C", CHECKOUT, "archive", commit, "service", "db"],  # noqa: S607
        capture_output=True,
    )
    if archive.returncode:
        pytest.skip(f"needs git and the commit {commit} of the released version")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)  # noqa: S607
    return folder


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def released_database(released: Path, empty_database: str) -> str:
    """A database that the released version has migrated."""
    migrate(empty_database, sql=SqlFiles(released / "db"))
    ensure_service_role(empty_database, groups=RELEASED_GROUPS)
    return empty_database


@pytest.fixture
def released_connection(released_database: str) -> Iterator[Connection]:
    with psycopg.connect(released_database, autocommit=True) as connection:
        yield connection


async def test_the_released_service_and_worker_go_on_beside_this_schema(
    released: Path, database: str, connection: Connection, tmp_path: Path
) -> None:
    ensure_service_role(database)
    old = {"PYTHONPATH": str(released)}
    async with deployed(
        tmp_path, connection, service_url(database), worker_url(database), service=old, worker=old
    ) as deployment:
        org_id = await work_a_day(deployment, connection)
        assert (await deployment.show(SUMMARY, org_id)).status == HTTPStatus.NOT_FOUND  # it is old
        assert [line["status"] for line in deployment.complaints()] == [HTTPStatus.NOT_FOUND]


def test_the_released_commands_go_on_beside_this_schema(
    released: Path, database: str, tmp_path: Path
) -> None:
    old = {"PYTHONPATH": str(released), "DATABASE_URL": database}
    assert wallet(tmp_path, "verify", **old).returncode == 0
    assert wallet(tmp_path, "replay", "--failed", **old).returncode == 0
    refused = wallet(tmp_path, "migrate", **old)
    assert refused.returncode == 1
    assert "was migrated by a newer pgwallet" in refused.stderr


async def test_this_service_and_worker_go_on_beside_the_released_schema(
    released_database: str, released_connection: Connection, tmp_path: Path
) -> None:
    """Upgraded in the wrong order: what the released one did, they still do; nothing is lost."""
    async with deployed(
        tmp_path, released_connection, service_url(released_database), worker_url(released_database)
    ) as deployment:
        org_id = await work_a_day(deployment, released_connection)
        before = balance(released_connection, org_id)
        # What is new has to wait for its functions.
        answer = await deployment.show(OPTIONS, org_id)
        assert answer.outcome == "503 database_unavailable"

        migrate(released_database)
        ensure_service_role(released_database)
        assert (await deployment.show(OPTIONS, org_id)).status == HTTPStatus.OK
        event = events.checkout_completed(events.checkout_session(org_id, 50_00))
        assert (await deployment.service.deliver(event)).outcome == "200 processed"
        assert balance(released_connection, org_id) == before + 50_00


async def test_a_service_without_its_schema_loses_nothing(
    database: str, empty_database: str, tmp_path: Path
) -> None:
    ensure_service_role(database)  # which the whole cluster has
    with WalletProcess(
        tmp_path, "serve", DATABASE_URL=service_url(empty_database), **SERVICE_SETTINGS
    ) as process:
        async with ClientSession() as client:
            service = Service(process.wait_for_url(), client)
            with psycopg.connect(empty_database, autocommit=True) as connection:
                event = events.checkout_completed(events.checkout_session(ORG_ID, 50_00))
                assert (await service.deliver(event)).outcome == "503 database_unavailable"
                assert (await service.health()).status == 503

                migrate(empty_database)
                open_wallet(connection, org_id=ORG_ID)
                assert (await service.deliver(event)).outcome == "200 processed"
                assert stored_events(connection) == {event["id"]: ("processed", 1)}
                assert (await service.health()).status == 200


@dataclass
class Proxy:
    """Hands each event to one of the services behind it, and to the other if that one is gone.

    Every request to the service may be repeated, so it may do so whatever became of the first.
    """

    client: ClientSession
    urls: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    async def deliver(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            event = events.checkout_completed(events.checkout_session(ORG_ID, 1_00))
            outcome = None
            while outcome is None:
                self.urls.append(self.urls.pop(0))
                with suppress(ClientConnectionError):
                    answer = await Service(self.urls[0], self.client).deliver(event)
                    outcome = answer.outcome
            self.outcomes.append(outcome)

    async def let_pass(self, count: int) -> None:
        count += len(self.outcomes)
        await eventually(lambda: len(self.outcomes) >= count)


async def test_an_upgrade_of_two_services_in_turn_refuses_nothing(
    released: Path,
    released_database: str,
    released_connection: Connection,
    tmp_path: Path,
) -> None:
    open_wallet(released_connection, org_id=ORG_ID)

    def start(name: str, **settings: str) -> WalletProcess:
        (tmp_path / name).mkdir()
        url = service_url(released_database)
        process = WalletProcess(
            tmp_path / name, "serve", **SERVICE_SETTINGS, DATABASE_URL=url, **settings
        )
        return stack.enter_context(process)

    with ExitStack() as stack:
        old = [start(f"old {number}", PYTHONPATH=str(released)) for number in (1, 2)]
        async with ClientSession() as client:
            proxy = Proxy(client, [process.wait_for_url() for process in old])
            stop = asyncio.Event()
            senders = [asyncio.create_task(proxy.deliver(stop)) for _ in range(4)]
            await proxy.let_pass(20)
            await asyncio.to_thread(migrate, released_database)
            await proxy.let_pass(20)
            for number, process in enumerate(old):
                url = process.wait_for_url()
                assert await asyncio.to_thread(process.stop) == 0
                new = start(f"new {number}")
                proxy.urls.append(await asyncio.to_thread(new.wait_for_url))
                proxy.urls.remove(url)
                await proxy.let_pass(20)
            stop.set()
            await asyncio.gather(*senders)
    assert set(proxy.outcomes) <= {"200 processed", "200 duplicate"}
    assert balance(released_connection, ORG_ID) == len(proxy.outcomes) * 1_00
