"""Workers that start, share, stop, die, and live through a database that goes away."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..database.embedded import EmbeddedServer
from ..database.migrate import migrate
from .services import WHSEC, WalletProcess, wallet
from .workers import (
    STRIPE_KEY,
    Delivery,
    alerts_to,
    emit,
    eventually,
    let_time_pass,
    running_delivery,
    running_receiver,
    running_worker,
    start_worker,
    statuses,
    until_delivered,
    worker_settings,
)

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

BATCH_SIZE = 20


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A migrated server that the test may stop."""
    with tempfile.TemporaryDirectory(prefix="pgwallet-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with EmbeddedServer(Path(name) / "server") as server:
            migrate(server.ensure_database())
            yield server


def listening(connection: Connection) -> int | None:
    """The session in which a worker listens, once there is one."""
    rows = connection.execute(
        """
        select pid from pg_catalog.pg_stat_activity
         where datname = current_database() and query ~ '^listen' and state = 'idle'
        """
    ).fetchall()
    return rows[0][0] if rows else None


async def until_logged(process: WalletProcess, event: str) -> dict[str, Any]:
    """The first line about this event, once it is there."""

    def find() -> list[str]:
        return [line for line in process.output.splitlines() if f'"event": "{event}"' in line]

    [line, *_] = await asyncio.to_thread(process.wait_until, find)
    parsed: dict[str, Any] = json.loads(line)
    return parsed


async def test_a_notification_wakes_the_worker_long_before_it_would_look(
    database: str, connection: Connection
) -> None:
    async with running_delivery(database, poll_seconds=300):
        await eventually(lambda: listening(connection))
        for count in (1, 2):
            emit(connection)
            await until_delivered(connection, count)


async def test_without_a_notification_the_worker_looks_by_itself(
    database: str, connection: Connection
) -> None:
    async with running_delivery(database, poll_seconds=0.05):
        await eventually(lambda: listening(connection))
        emit(connection, "topup_completed")  # which doesn't notify
        await until_delivered(connection, 1)


async def test_a_lost_listener_is_replaced_and_misses_nothing(
    database: str, connection: Connection
) -> None:
    async with running_delivery(database, poll_seconds=300):
        await eventually(lambda: listening(connection))
        connection.execute("select pg_terminate_backend(%s, 5000)", [listening(connection)])
        emit(connection)
        await until_delivered(connection, 1)
        await eventually(lambda: listening(connection))
        emit(connection)
        await until_delivered(connection, 2)


async def test_more_than_one_batch_is_delivered_without_a_pause(
    database: str, connection: Connection
) -> None:
    ids = emit(connection, count=3 * BATCH_SIZE)
    async with running_delivery(database, poll_seconds=300) as receiver:
        await until_delivered(connection, len(ids))
    assert receiver.accepted == dict.fromkeys(ids, 1)


async def test_a_worker_killed_in_a_delivery_loses_nothing_and_repeats_by_the_same_id(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    ids = emit(connection, count=3 * BATCH_SIZE)

    async def kill_in_the_second_batch(_delivery: Delivery) -> int:
        if len(receiver.deliveries) == BATCH_SIZE + 5:
            process.process.kill()
            await asyncio.to_thread(process.process.wait)
        return 200

    async with running_receiver(kill_in_the_second_batch) as receiver:
        settings = alerts_to(receiver)
        with start_worker(tmp_path, database, **settings) as process:
            await eventually(lambda: process.process.poll() is not None)
        assert process.process.returncode == -signal.SIGKILL
        left = statuses(connection)["pending"]
        assert len(ids) - 2 * BATCH_SIZE < left < len(ids)

        async with running_worker(database, settings):
            # What the dead one had taken is left alone until its lease is over.
            await eventually(lambda: 0 < statuses(connection)["pending"] <= BATCH_SIZE)
            let_time_pass(connection)
            await until_delivered(connection, len(ids))
    received = Counter(delivery.id for delivery in receiver.deliveries)
    assert set(received) == set(ids)
    assert 0 < received.total() - len(ids) <= BATCH_SIZE


async def test_two_workers_share_the_work_and_deliver_nothing_twice(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    both_at_work = asyncio.Event()

    async def accept_once_both_are_at_work(_delivery: Delivery) -> int:
        if len(receiver.deliveries) > BATCH_SIZE:  # more than one worker would send at once
            both_at_work.set()
        await both_at_work.wait()
        return 200

    async with running_receiver(accept_once_both_are_at_work) as receiver:
        channels = alerts_to(receiver)
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        with (
            start_worker(folders[0], database, **channels) as one,
            start_worker(folders[1], database, **channels) as two,
        ):
            for worker in (one, two):
                await until_logged(worker, "worker_started")
            ids = emit(connection, count=200)
            await until_delivered(connection, len(ids))
            assert [one.stop(), two.stop()] == [0, 0]
    assert receiver.accepted == dict.fromkeys(ids, 1)
    assert len(receiver.deliveries) == len(ids)
    logged = [set(re.findall(r'"messageId": "(.*?)"', each.output)) for each in (one, two)]
    assert min(map(len, logged)) > 0
    assert logged[0].isdisjoint(logged[1])
    assert logged[0] | logged[1] == set(ids)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
async def test_a_worker_told_to_stop_finishes_what_it_has_begun(
    database: str, connection: Connection, tmp_path: Path, name: str
) -> None:
    go_on = asyncio.Event()

    async def hold(_delivery: Delivery) -> int:
        await go_on.wait()
        return 200

    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        async with running_receiver(hold) as receiver:
            emit(connection)
            with start_worker(tmp_path, database, **alerts_to(receiver)) as process:
                await eventually(lambda: receiver.deliveries)
                process.process.send_signal(signal.Signals[name])
                await until_logged(process, "worker_stopping")
                emit(connection)
                go_on.set()
                await eventually(lambda: process.process.poll() is not None)
                assert process.process.returncode == 0
                assert "Traceback" not in process.output
    finally:
        signal.signal(signal.SIGHUP, inherited)
    assert statuses(connection) == {"delivered": 1, "pending": 1}
    assert "worker_stopped" in process.output


async def test_a_worker_told_to_stop_does_not_wait_for_ever(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    async def never(_delivery: Delivery) -> int:
        await asyncio.Event().wait()
        return 200

    async with running_receiver(never) as receiver:
        emit(connection)
        settings = alerts_to(receiver) | {"SHUTDOWN_TIMEOUT_SECONDS": "0.2"}
        with start_worker(tmp_path, database, **settings) as process:
            await eventually(lambda: receiver.deliveries)
            process.process.send_signal(signal.SIGTERM)
            await eventually(lambda: process.process.poll() is not None)
            assert process.process.returncode == 0
    assert statuses(connection) == {"pending": 1}


async def test_no_transaction_is_open_while_a_receiver_takes_its_time(
    database: str, connection: Connection
) -> None:
    transactions: list[Any] = []

    async def look(_delivery: Delivery) -> int:
        transactions.extend(
            connection.execute(
                """
                select query from pg_catalog.pg_stat_activity
                 where datname = current_database() and xact_start is not null
                   and pid <> pg_backend_pid() and query ~ 'claim_messages|record_delivery'
                """
            ).fetchall()
        )
        return 200

    async with running_delivery(database, look):
        emit(connection)
        await until_delivered(connection, 1)
    assert transactions == []


async def test_a_worker_outlives_its_database(own_server: EmbeddedServer, tmp_path: Path) -> None:
    database = own_server.url()
    async with running_receiver() as receiver:
        settings = alerts_to(receiver) | {"DATABASE_TIMEOUT_SECONDS": "1"}
        with start_worker(tmp_path, database, **settings) as process:
            await until_logged(process, "worker_started")
            with psycopg.connect(database, autocommit=True) as connection:
                emit(connection)
                await until_delivered(connection, 1)

            await asyncio.to_thread(own_server.stop)
            await until_logged(process, "database_error")
            await until_logged(process, "listener_disconnected")
            await asyncio.to_thread(own_server.start)

            with psycopg.connect(database, autocommit=True) as connection:
                emit(connection)
                await until_delivered(connection, 2)
            assert process.stop() == 0
    assert len(receiver.accepted) == 2


async def test_workers_give_signs_of_life(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    with start_worker(tmp_path, database) as process:
        worker = (await until_logged(process, "worker_started"))["worker"]
        await eventually(
            lambda: (
                connection.execute("select worker from wallet.workers").fetchall() == [(worker,)]
            )
        )
        assert re.fullmatch(rf".+:{process.process.pid}:[0-9a-f]{{8}}", worker)
        assert process.stop() == 0


async def test_the_role_of_the_worker_is_enough_and_can_do_nothing_else(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    emit(connection)
    with start_worker(tmp_path, database) as process:
        await until_delivered(connection, 1)
        assert process.stop() == 0
    assert "table_privileges" not in process.output
    assert "errand_failed" not in process.output
    assert "database_error" not in process.output


def test_a_worker_without_its_settings_says_what_to_set(database: str, tmp_path: Path) -> None:
    settings = worker_settings(database)
    for name, sentence in {
        "STRIPE_SECRET_KEY": "STRIPE_SECRET_KEY is not set: expected a secret or restricted"
        " API key, which starts with sk_ or rk_.",
        "DATABASE_URL": "DATABASE_URL is not set: expected a URL such as"
        " postgresql://user:password@host:5432/database.",
    }.items():
        without = {key: value for key, value in settings.items() if key != name}
        result = wallet(tmp_path, "worker", **without)
        assert (result.returncode, result.stderr) == (2, f"Error: {sentence}\n")

    result = wallet(
        tmp_path, "worker", **settings, SLACK_WEBHOOK_URL="http://hooks.slack.com/hunter2"
    )
    assert result.returncode == 2
    last_line = result.stderr.splitlines()[-1]
    assert last_line == (
        "Error: SLACK_WEBHOOK_URL is not usable: expected https, or http to this machine."
    )


async def test_no_log_line_holds_a_secret_or_a_payload(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    async with running_receiver() as receiver:
        channels = alerts_to(receiver) | {"SLACK_WEBHOOK_URL": receiver.url + "/hunter2"}
        with start_worker(tmp_path, database, **channels) as process:
            emit(connection, payload={"message": "Zoë's card was declined."})
            await until_delivered(connection, 1)
            assert process.stop() == 0
    lines = [json.loads(line) for line in process.output.splitlines()]
    [delivered] = [line for line in lines if line["event"] == "message"]
    assert set(delivered) == {"time", "level", "event", "messageId", "topic", "orgId"}
    for hidden in (WHSEC, STRIPE_KEY, channels["ALERT_WEBHOOK_SECRET"], "hunter2", "declined"):
        assert hidden not in process.output
