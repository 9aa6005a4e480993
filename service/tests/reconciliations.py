"""Days of calls at Vapi, and what became of them here, as the tests use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ..sandbox.vapi_calls import NewCall, end_of_call_report
from .sandboxes import RunningSandbox
from .services import wait_for_lock
from .workers import eventually

Connection = psycopg.Connection[Any]

CALL_SECONDS = 60
CALL_PENCE = 56


def days_ago(days: int) -> datetime:
    """The beginning of that day, UTC. Five days ago comes before whatever is due by itself."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)


async def take_place(
    sandbox: RunningSandbox, org_id: UUID | None, day: datetime, count: int = 1, **fields: Any
) -> list[str]:
    """Calls of a minute, one every ten seconds, that nobody is told of; Vapi's ids."""
    kind = {
        "created_at": (day + timedelta(hours=9)).isoformat(),
        "duration_seconds": CALL_SECONDS,
        "org_id": str(org_id) if org_id else None,
        **fields,
    }
    return await sandbox.make_calls(count=count, call=kind, every_ms=10_000)


def report_call(
    connection: Connection, org_id: UUID | None, day: datetime, vapi_call_id: str, **fields: Any
) -> dict[str, Any]:
    """Vapi's webhook tells of a call of a minute."""
    new = NewCall(
        id=vapi_call_id,
        created_at=day + timedelta(hours=9),
        duration_seconds=CALL_SECONDS,
        org_id=str(org_id) if org_id else None,
        **fields,
    )
    now = datetime.now(UTC)
    report = end_of_call_report(new.build(now), now)
    [(answer,)] = connection.execute("select wallet.record_call(%s)", [Jsonb(report)]).fetchall()
    return dict(answer)


def add_assistant(connection: Connection, org_id: UUID, assistant_id: str) -> None:
    """Calls of this assistant are the organization's from now on."""
    connection.execute(
        "insert into wallet.agents (org_id, name, vapi_assistant_id) values (%s, 'Riley', %s)",
        [org_id, assistant_id],
    )


def let_nothing_be_due(connection: Connection) -> None:
    """The last days are done, so that nothing happens by itself."""
    for days in range(1, 9):
        connection.execute(
            "select wallet.reconcile_calls(%s, %s, '[]')", [days_ago(days), days_ago(days - 1)]
        )


def request(connection: Connection, day: datetime) -> None:
    """An operator wants this day to be reconciled."""
    connection.execute("select wallet.request_call_reconciliation(%s, 'ann')", [day.date()])


def run_of(connection: Connection, day: datetime) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        [run] = cursor.execute(
            "select * from wallet.call_reconciliations where from_at = %s", [day]
        ).fetchall()
    return run


def is_done(connection: Connection, day: datetime) -> bool:
    return bool(run_of(connection, day)["status"] == "done")


def staged(connection: Connection, day: datetime) -> int:
    """How many calls of this day are stored as Vapi listed them."""
    [(count,)] = connection.execute(
        "select count(*) from wallet.provider_calls where from_at = %s", [day]
    ).fetchall()
    return int(count)


def billed(connection: Connection, org_id: UUID) -> Mapping[str, tuple[int, bool]]:
    """What each call of Vapi's costs here, and whether reconciliation found it."""
    rows = connection.execute(
        "select vapi_call_id, cost_pence, reconciled from wallet.calls where org_id = %s", [org_id]
    )
    return {vapi_call_id: (pence, reconciled) for vapi_call_id, pence, reconciled in rows}


def charges(connection: Connection, org_id: UUID) -> int:
    """How many entries of the ledger charge for calls."""
    [(count,)] = connection.execute(
        """
        select count(*) from wallet.credit_transactions
         where org_id = %s and type = 'call_deduction'
        """,
        [org_id],
    ).fetchall()
    return int(count)


@contextmanager
def held_window(connection: Connection, day: datetime) -> Iterator[None]:
    """Whoever reconciles this day waits before the next transaction, until the end of the block."""
    with connection.transaction():
        connection.execute(
            "select from wallet.call_reconciliations where from_at = %s for no key update", [day]
        )
        yield


async def kill_between_transactions(
    connection: Connection,
    holder: Connection,
    day: datetime,
    kill: Callable[[], object],
    before: Callable[[], object] = lambda: None,
) -> None:
    """Kill a run that has billed some of its calls, and not all; and do something before."""
    await eventually(lambda: reconciled(connection))
    with held_window(holder, day):
        billing = await wait_for_lock(connection)
        before()
        kill()
        connection.execute("select pg_terminate_backend(%s, 5000)", [billing])


def reconciled(connection: Connection) -> list[int]:
    """How many calls each transaction has recovered, in order."""
    rows = connection.execute(
        """
        select count(*) from wallet.calls
         where reconciled
         group by created_at
         order by created_at
        """
    )
    return [count for (count,) in rows]


def let_leases_end(connection: Connection) -> None:
    """Every lease and every pause between two tries is over."""
    connection.execute(
        "update wallet.call_reconciliations set next_try_at = now() where status = 'due'"
    )


async def listings_of(sandbox: RunningSandbox, day: datetime) -> list[str]:
    """Before which time each request for the calls of this day wanted them."""
    begins = day.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        listing["createdAtLt"]
        for listing in await sandbox.listings()
        if listing["createdAtGe"] == begins
    ]
