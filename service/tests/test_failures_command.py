"""`wallet failures`: what failed is listed, with what to type next."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ..run import ensure_service_role
from ..sandbox import events
from .services import open_wallet, service_url, wallet

Connection = psycopg.Connection[Any]
Command = Callable[..., CompletedProcess[str]]


@pytest.fixture
def command(database: str, tmp_path: Path) -> Command:
    def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
        return wallet(tmp_path, *arguments, **{"DATABASE_URL": database, **settings})

    return run


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def fail(connection: Connection, org_id: UUID | str, event_id: str, minutes_ago: int = 0) -> None:
    """Deliver a payment for this organization, which it can't be credited to."""
    event = events.checkout_completed(events.checkout_session(org_id, 50_00), event_id=event_id)
    connection.execute("select wallet.process_stripe_event(%s)", [Jsonb(event)])
    connection.execute(
        """
        update wallet.processed_stripe_webhooks
           set received_at = timestamptz '2026-11-21 14:47:06+01' - make_interval(mins => %s)
         where event_id = %s
        """,
        [minutes_ago, event_id],
    )


def test_failed_events_are_listed_the_newest_first(
    command: Command, connection: Connection
) -> None:
    connection.execute(f"alter database {connection.info.dbname} set timezone = 'Asia/Tokyo'")
    first, second = uuid4(), uuid4()
    fail(connection, first, "evt_first", minutes_ago=5)
    fail(connection, second, "evt_second")
    fail(connection, second, "evt_second")
    fail(connection, "nobody", "evt_nobody", minutes_ago=90)

    result = command("failures")

    assert (result.returncode, result.stderr) == (0, "")
    table, _, advice = result.stdout.partition("\n\n")
    heading, *lines = table.splitlines()
    assert re.split("  +", heading) == [
        "received (UTC)",
        "event",
        "type",
        "tries",
        "organization",
        "error",
    ]
    kind, missing = "checkout.session.completed", "organization_not_found"
    assert [re.split("  +", line) for line in lines[::2]] == [
        ["2026-11-21 13:47:06", "evt_second", kind, "2", str(second), missing],
        ["2026-11-21 13:42:06", "evt_first", kind, "1", str(first), missing],
        ["2026-11-21 12:17:06", "evt_nobody", kind, "1", "unknown", "organization_missing"],
    ]
    assert lines[1] == f"    There is no wallet for organization {second}."
    columns = [line.index(kind) for line in lines[::2]]
    assert columns == [heading.index("type")] * 3
    assert advice.startswith("3 events have failed. When the cause is gone,")
    replay_one, replay_all = advice.splitlines()[2:]
    assert replay_one.endswith(" replay evt_second")
    assert replay_all.endswith(" replay --failed")


def test_there_may_be_more_than_are_shown(command: Command, connection: Connection) -> None:
    for number in range(3):
        fail(connection, uuid4(), f"evt_{number}", minutes_ago=number)

    result = command("failures", "--limit", "2")

    assert "evt_1" in result.stdout
    assert "evt_2" not in result.stdout
    assert "3 events have failed. These are the newest 2." in result.stdout


def test_what_it_says_to_type_works(command: Command, connection: Connection) -> None:
    org_id = uuid4()
    fail(connection, org_id, "evt_1")
    assert "\n1 event has failed. When" in command("failures").stdout

    open_wallet(connection, org_id=org_id)
    assert command("replay", "--failed").returncode == 0

    result = command("failures")
    assert (result.returncode, result.stdout) == (0, "No event has failed.\n")


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_limit_that_is_none_is_refused(command: Command, limit: str) -> None:
    result = command("failures", "--limit", limit)
    assert result.returncode == 2
    assert "--limit" in result.stderr


def test_the_login_of_the_service_may_list_them(
    command: Command, connection: Connection, database: str
) -> None:
    fail(connection, uuid4(), "evt_1")
    ensure_service_role(database)
    result = command("failures", DATABASE_URL=service_url(database))
    assert result.returncode == 0
    assert "evt_1" in result.stdout


def test_without_a_database_nothing_is_made_up(tmp_path: Path) -> None:
    result = wallet(tmp_path, "failures")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no database in .pgwallet: ")
