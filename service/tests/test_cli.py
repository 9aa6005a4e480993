"""The operator's commands: what they do, what they say, and what they exit with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner

from ..commands import start
from ..database.migrate import MigrationReport
from ..sandbox import events
from ..signals import StopSignals
from .services import (
    WHSEC,
    balance,
    open_wallet,
    running_service,
    wallet,
)

Connection = psycopg.Connection[Any]
Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def command(database: str, tmp_path: Path) -> Command:
    """Runs `wallet ...` against the test's database."""

    def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
        return wallet(tmp_path, *arguments, **{"DATABASE_URL": database, **settings})

    return run


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def store(connection: Connection, event: Mapping[str, Any]) -> str:
    """Deliver an event past HTTP; its id."""
    connection.execute(
        "select wallet.process_stripe_event(%s::jsonb)", [events.encode(event).decode()]
    )
    return str(event["id"])


def paid(org_id: UUID, event_id: str) -> dict[str, Any]:
    session = events.checkout_session(org_id, 50_00)
    return events.checkout_completed(session, event_id=event_id)


def test_a_failed_event_is_applied_by_its_replay(command: Command, connection: Connection) -> None:
    org_id = uuid4()
    store(connection, paid(org_id, "evt_early"))

    refused = command("replay", "evt_early")
    assert refused.returncode == 1
    assert "evt_early  organization_not_found" in refused.stdout

    open_wallet(connection, org_id=org_id)
    replayed = command("replay", "evt_early")
    assert replayed.returncode == 0
    assert replayed.stdout == "evt_early  processed  5000 pence, balance 0 -> 5000 pence\n"
    assert balance(connection, org_id) == 50_00

    again = command("replay", "evt_early")
    assert (again.returncode, again.stdout) == (0, "evt_early  duplicate\n")
    assert balance(connection, org_id) == 50_00


def test_every_failed_event_is_replayed_whatever_becomes_of_the_others(
    command: Command, connection: Connection
) -> None:
    org_id = uuid4()
    store(connection, paid(org_id, "evt_1"))
    store(connection, paid(uuid4(), "evt_2"))
    store(connection, paid(org_id, "evt_3"))
    store(connection, events.invoice_paid(1, event_id="evt_4"))
    open_wallet(connection, org_id=org_id)

    replayed = command("replay", "--failed")

    assert replayed.returncode == 1
    assert [line.split()[:2] for line in replayed.stdout.splitlines()] == [
        ["evt_1", "processed"],
        ["evt_2", "organization_not_found"],
        ["evt_3", "processed"],
    ]
    assert replayed.stderr == "Error: 1 of 3 events failed.\n"
    assert balance(connection, org_id) == 100_00


def test_there_may_be_nothing_to_replay(command: Command) -> None:
    assert command("replay", "--failed").stdout == "No event is waiting.\n"

    unknown = command("replay", "evt_unknown")
    assert unknown.returncode == 1
    assert "evt_unknown  event_not_found" in unknown.stdout

    for arguments in ([], ["evt_1", "--failed"]):
        usage = command("replay", *arguments)
        assert usage.returncode == 2
        assert "Name either one EVENT_ID or --failed." in usage.stderr


@pytest.mark.broken_books
def test_verify_finds_a_forged_balance(command: Command, connection: Connection) -> None:
    org_id, other = open_wallet(connection, balance_pence=5_00), open_wallet(connection)
    assert command("verify").stdout == "The books are in order. Wallets verified: 2.\n"

    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            "update wallet.organizations set wallet_balance_pence = 9999 where id = %s", [org_id]
        )
    for arguments in ([], ["--org", str(org_id)]):
        result = command("verify", *arguments)
        assert result.returncode == 1
        assert f"{org_id}: wallet_balance_pence should be 500 and is 9999\n" in result.stdout
    assert command("verify", "--org", str(other)).returncode == 0

    unknown = command("verify", "--org", str(uuid4()))
    assert unknown.returncode == 1
    assert "There is no wallet of organization" in unknown.stderr


async def test_a_test_event_is_a_signed_payment(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    org_id = open_wallet(connection)
    async with running_service(database, secrets=f"whsec_other,{WHSEC}") as service:

        async def send(*arguments: str, **settings: str) -> CompletedProcess[str]:
            arguments = ("send-test-event", "--org", str(org_id), *arguments)
            return await asyncio.to_thread(wallet, tmp_path, *arguments, **settings)

        first = await send(
            "--amount", "1234", "--url", service.webhook, STRIPE_WEBHOOK_SECRET=WHSEC
        )
        assert first.returncode == 0
        assert 'HTTP 200 {"outcome": "processed"' in first.stdout
        assert balance(connection, org_id) == 1234

        port = service.url.rpartition(":")[2]
        event_id = first.stdout.split()[1].rstrip(":")
        again = await send(
            "--event-id", event_id, PORT=port, STRIPE_WEBHOOK_SECRET=f"{WHSEC},whsec_x"
        )
        assert 'HTTP 200 {"outcome": "duplicate"' in again.stdout

        forged = await send("--url", service.webhook, STRIPE_WEBHOOK_SECRET="whsec_unknown")
        assert forged.returncode == 1
        assert 'HTTP 400 {"error": "invalid_signature"' in forged.stdout

        unsigned = await send("--url", service.webhook)
        assert unsigned.returncode == 2
        assert "STRIPE_WEBHOOK_SECRET is not set" in unsigned.stderr

    silent = await send("--url", service.webhook, STRIPE_WEBHOOK_SECRET=WHSEC)
    assert silent.returncode == 1
    assert (
        silent.stderr == f"Error: Nothing answers at {service.webhook}: is the service running?\n"
    )
    assert WHSEC not in "".join(run.stdout + run.stderr for run in (first, again, forged, silent))


def test_migrate_and_rollback_say_what_they_did(
    command: Command, empty_database: str, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": empty_database}

    missing = command("verify", **settings)
    assert missing.returncode == 1
    assert missing.stderr == "Error: The database is not up to date: run `wallet migrate` first.\n"

    first = command("migrate", **settings)
    assert first.returncode == 0
    assert first.stdout.startswith("Applied 0001_")
    assert "The database is up to date, with " in first.stdout
    assert "Applied" not in command("migrate", **settings).stdout

    undone = command("rollback", **settings)
    assert undone.returncode == 0
    assert undone.stdout.startswith("Undid 00")
    while undone.returncode == 0:
        undone = command("rollback", **settings)
    assert undone.stderr == "Error: There is no migration to undo.\n"


@pytest.mark.parametrize("arguments", [["rollback"], ["verify"], ["replay", "--failed"]])
def test_without_a_database_nothing_is_made_up(tmp_path: Path, arguments: list[str]) -> None:
    result = wallet(tmp_path, *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no database in .pgwallet: ")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_tells_its_story_and_vouches_for_it(command: Command) -> None:
    """On the test's database; without DATABASE_URL it starts a server of its own."""
    result = command("demo")
    assert result.returncode == 0
    assert result.stderr == ""
    for outcome, pounds in (
        ("200 processed", "£619.00"),
        ("200 duplicate", "£619.00"),
        ("400 invalid_signature", "£619.00"),
        ("debt_limit_exceeded", "£618.15"),
    ):
        assert re.search(rf"{outcome} +{pounds}\n", result.stdout), outcome
    assert "The books are in order" in result.stdout
    assert "WRONG" not in result.stdout


def test_the_demo_fails_where_the_wallet_is_wrong(command: Command, connection: Connection) -> None:
    """In live mode the demo's test events are ignored, and it must notice."""
    connection.execute("update wallet.stripe_settings set livemode = true")
    result = command("demo")
    assert result.returncode == 1
    assert "WRONG: expected 200 processed and £619.00" in result.stdout
    assert result.stderr == "Error: The demo did not go as it should.\n"


@pytest.mark.parametrize("arguments", [["migrate"], ["rollback"], ["verify"], ["replay", "evt_1"]])
def test_a_database_that_is_out_is_one_sentence(command: Command, arguments: list[str]) -> None:
    result = command(*arguments, DATABASE_URL="postgresql://user:hunter2@127.0.0.1:1/app")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: The database can't be reached: ")
    assert "hunter2" not in result.stderr
    assert "Traceback" not in result.stderr


def test_what_the_server_warned_of_is_told_by_migrate(monkeypatch: pytest.MonkeyPatch) -> None:
    def migrate(_url: str) -> MigrationReport:
        return MigrationReport((), 7, ("wallet_gateway is no member. Grant it.",))

    monkeypatch.setattr(start, "migrate", migrate)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@127.0.0.1/d")
    result = CliRunner().invoke(start.migrate_command, obj=StopSignals())
    assert result.stderr == "Warning: wallet_gateway is no member. Grant it.\n"
    assert result.stdout == "The database is up to date, with 7 functions.\n"
