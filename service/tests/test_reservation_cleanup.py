"""Reservations that nobody closed: the worker gives back what they hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ..database.pool import Database
from ..worker.reservations import expire_reservations
from .services import balance, open_wallet
from .workers import eventually, start_worker, worker_url

Connection = psycopg.Connection[Any]

BATCH_SIZE = 1000


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def reserve(connection: Connection, org_id: UUID, count: int) -> None:
    answers = connection.execute(
        """
        select wallet.reserve_call_credits(%s, 'call-' || n, p_estimated_minutes => 1) ->> 'success'
          from generate_series(1, %s) as n
        """,
        [org_id, count],
    ).fetchall()
    assert answers == [("true",)] * count


def let_them_lapse(connection: Connection) -> None:
    connection.execute("update wallet.credit_reservations set expires_at = now() - interval '1 s'")


def statuses(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        "select status, count(*) from wallet.credit_reservations group by status"
    )
    return dict(rows.fetchall())


def reserved(connection: Connection, org_id: UUID) -> int:
    [(pence,)] = connection.execute(
        "select reserved_pence from wallet.organizations where id = %s", [org_id]
    ).fetchall()
    return int(pence)


async def test_a_worker_expires_what_has_lapsed_and_nothing_else(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    lapsing, going_on = (open_wallet(connection, balance_pence=100_00) for _ in range(2))
    reserve(connection, lapsing, 3)
    let_them_lapse(connection)
    reserve(connection, going_on, 2)
    held = reserved(connection, going_on)

    with start_worker(tmp_path, database) as process:
        await eventually(lambda: statuses(connection) == {"expired": 3, "open": 2})
        await eventually(lambda: '"reservations_expired"' in process.output)
        assert process.stop() == 0
    assert reserved(connection, lapsing) == 0
    assert reserved(connection, going_on) == held > 0
    assert balance(connection, lapsing) == 100_00
    lines = [json.loads(line) for line in process.output.splitlines()]
    [line] = [line for line in lines if line["event"] == "reservations_expired"]
    assert (line["expired"], line["releasedPence"]) == (3, 3 * held // 2)


async def test_more_wallets_than_a_batch_has_are_done_without_a_pause(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    connection.execute(
        """
        do $$
        declare
            v_org_id uuid;
        begin
            for n in 1 .. 1100 loop
                v_org_id := gen_random_uuid();
                perform wallet.create_wallet(v_org_id);
                perform wallet.add_wallet_credits(
                    v_org_id, 1000, 'bonus', p_idempotency_key => 'opening'
                );
                perform wallet.reserve_call_credits(v_org_id, 'call', p_estimated_minutes => 1);
            end loop;
        end;
        $$
        """
    )
    assert statuses(connection) == {"open": BATCH_SIZE + 100}
    let_them_lapse(connection)
    with start_worker(tmp_path, database) as process:
        # Long before the errand's next turn.
        await eventually(lambda: statuses(connection) == {"expired": BATCH_SIZE + 100})
        await eventually(lambda: process.output.count('"event": "reservations_expired"') == 2)
        assert process.stop() == 0
    [(held,)] = connection.execute(
        "select sum(reserved_pence) from wallet.organizations"
    ).fetchall()
    assert held == 0


async def test_two_workers_expire_each_reservation_once(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    org_ids = [open_wallet(connection, balance_pence=100_00) for _ in range(20)]
    for org_id in org_ids:
        reserve(connection, org_id, 3)
    let_them_lapse(connection)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with (
        start_worker(folders[0], database) as one,
        start_worker(folders[1], database) as two,
    ):
        await eventually(lambda: statuses(connection) == {"expired": 60})
        await eventually(
            lambda: '"worker_started"' in one.output and '"worker_started"' in two.output
        )
        assert [one.stop(), two.stop()] == [0, 0]
    assert [reserved(connection, org_id) for org_id in org_ids] == [0] * 20
    assert "database_error" not in one.output + two.output
    lines = [json.loads(line) for line in (one.output + two.output).splitlines()]
    told = [line["expired"] for line in lines if line["event"] == "reservations_expired"]
    assert sum(told) == 60


async def test_the_role_of_the_worker_is_enough(database: str, connection: Connection) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    reserve(connection, org_id, 2)
    let_them_lapse(connection)
    opened = Database(worker_url(database), pool_size=1, timeout=10)
    await opened.open()
    try:
        assert await expire_reservations(opened) == 2
        assert await expire_reservations(opened) == 0
    finally:
        await opened.close()
