"""The worker checks the books once a day, and tells of what it finds once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from ..database.pool import Database
from ..worker.consistency import check_books
from .services import open_wallet, wait_for_lock
from .workers import eventually, running_delivery, start_worker, worker_url

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


@pytest.fixture
async def worker_database(database: str) -> AsyncIterator[Database]:
    opened = Database(worker_url(database), pool_size=4, timeout=10)
    await opened.open()
    yield opened
    await opened.close()


def checks(connection: Connection) -> list[tuple[str, int, int, bool]]:
    return connection.execute(
        """
        select worker, wallets, problems, alerted
          from wallet.consistency_checks
         order by started_at
        """
    ).fetchall()


def alerts(connection: Connection) -> int:
    return connection.execute(
        "select from wallet.outbox_messages where topic = 'books_out_of_order'"
    ).rowcount


def forge(connection: Connection, org_id: object) -> None:
    connection.execute(
        "update wallet.organizations set wallet_balance_pence = 9999 where id = %s", [org_id]
    )


def let_a_day_pass(connection: Connection) -> None:
    connection.execute(
        """
        update wallet.consistency_checks
           set started_at = started_at - interval '1 day',
               finished_at = finished_at - interval '1 day'
        """
    )


async def test_a_worker_checks_the_books_when_it_starts_and_not_again(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    open_wallet(connection, balance_pence=5_00)
    with start_worker(tmp_path, database) as process:
        await eventually(lambda: checks(connection))
        process.wait_until(lambda: "books_checked" in process.output)
        process.stop()
    [line] = [
        line
        for line in map(json.loads, process.output.splitlines())
        if line["event"] == "books_checked"
    ]
    assert (line["level"], line["wallets"], line["problems"]) == ("info", 1, 0)
    [(worker, *found)] = checks(connection)
    assert found == [1, 0, False]
    assert worker in process.output

    other = tmp_path / "other"
    other.mkdir()
    with start_worker(other, database) as process:
        await eventually(lambda: connection.execute("select from wallet.workers").rowcount == 2)
        process.stop()
    assert "books_checked" not in process.output
    assert "error" not in process.output
    assert len(checks(connection)) == 1


@pytest.mark.broken_books
async def test_books_out_of_order_are_told_once(
    connection: Connection, worker_database: Database
) -> None:
    forge(connection, open_wallet(connection, balance_pence=5_00))
    with capture_logs() as logs:
        assert await check_books(worker_database, "ann") == 0
        let_a_day_pass(connection)
        await check_books(worker_database, "bob")
    assert [(line["log_level"], line["problems"], line["alerted"]) for line in logs] == [
        ("error", 1, True),
        ("error", 1, False),
    ]
    assert checks(connection) == [("ann", 1, 1, True), ("bob", 1, 1, False)]
    assert alerts(connection) == 1


@pytest.mark.broken_books
async def test_the_message_reaches_its_receiver(database: str, connection: Connection) -> None:
    org_id = open_wallet(connection, balance_pence=5_00)
    forge(connection, org_id)
    async with running_delivery(database) as receiver:
        await eventually(lambda: receiver.accepted)
    [delivery] = receiver.deliveries
    message = json.loads(delivery.body)
    assert (message["type"], message["org_id"]) == ("books_out_of_order", None)
    assert message["data"]["message"] == (
        "The books are not in order: 1 problem was found. The first: wallet_balance_pence"
        f" of organization {org_id} should be 500 and is 9999."
    )
    assert (message["data"]["problems"], message["data"]["wallets"]) == (1, 1)


async def test_of_many_workers_one_checks(
    database: str, connection: Connection, worker_database: Database
) -> None:
    with capture_logs() as logs:
        await asyncio.gather(*(check_books(worker_database, f"worker-{n}") for n in range(4)))
    assert len(checks(connection)) == 1
    assert [line["event"] for line in logs] == ["books_checked"]


async def test_who_comes_while_another_checks_does_not_wait(
    connection: Connection, connect: Connect, worker_database: Database
) -> None:
    """The check stands still before it reads the ledger."""
    holder = connect()
    with holder.transaction():
        holder.execute("lock table wallet.organizations")
        first = asyncio.create_task(check_books(worker_database, "first"))
        await wait_for_lock(connection)
        answer = connection.execute("select wallet.check_books('second')").fetchone()
        assert answer == ({"success": True, "checked": False, "reason": "under_way"},)
    await first
    assert [worker for worker, *_ in checks(connection)] == ["first"]


async def test_a_check_that_is_killed_leaves_nothing_and_is_made_by_the_next(
    connection: Connection, connect: Connect, worker_database: Database
) -> None:
    holder = connect()
    with holder.transaction():
        holder.execute("lock table wallet.organizations")
        first = asyncio.create_task(check_books(worker_database, "first"))
        connection.execute("select pg_cancel_backend(%s)", [await wait_for_lock(connection)])
        with pytest.raises(psycopg.errors.QueryCanceled):
            await first
    assert checks(connection) == []
    await check_books(worker_database, "second")
    assert [worker for worker, *_ in checks(connection)] == ["second"]


async def test_nobody_who_spends_waits_for_the_check(
    connection: Connection, connect: Connect
) -> None:
    """The check is over and not committed: whatever it has locked is locked."""
    org_id = open_wallet(connection, balance_pence=5_00)
    checker = connect()
    with checker.transaction():
        checker.execute("select wallet.check_books('ann')")
        connection.execute("set lock_timeout = '5s'")
        [(answer,)] = connection.execute(
            "select wallet.deduct_call_credits(%s, 'call', null, 1, 1, 10)", [org_id]
        ).fetchall()
    assert answer["success"]
    assert checks(connection) == [("ann", 1, 0, False)]


async def test_the_check_may_take_longer_than_the_login_s_other_statements(
    database: str, connection: Connection, connect: Connect
) -> None:
    url = worker_url(database) + "&options=-cstatement_timeout%3D300"
    short = Database(url, pool_size=2, timeout=10)
    await short.open()
    holder = connect()
    try:
        with holder.transaction():
            holder.execute("lock table wallet.organizations")
            check = asyncio.create_task(check_books(short, "ann"))
            await wait_for_lock(connection)
            await asyncio.sleep(0.5)
            assert not check.done()
        await check
        with pytest.raises(psycopg.errors.QueryCanceled):
            await short.call("select pg_sleep(1)")
    finally:
        await short.close()
    assert [worker for worker, *_ in checks(connection)] == ["ann"]
