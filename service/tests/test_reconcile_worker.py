"""The worker compares each day's calls with Vapi's list: once, whoever dies on the way."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from ..database.pool import Database
from ..settings import Settings
from ..vapi_api import client
from ..vapi_api.client import vapi_client
from ..worker.reconcile import reconcile_calls
from .reconciliations import (
    CALL_PENCE,
    CALL_SECONDS,
    add_assistant,
    billed,
    charges,
    days_ago,
    is_done,
    kill_between_transactions,
    let_leases_end,
    let_nothing_be_due,
    listings_of,
    reconciled,
    report_call,
    request,
    run_of,
    staged,
    take_place,
)
from .sandboxes import RunningSandbox, running_test_sandbox
from .services import WalletProcess, balance, locked_wallet, open_wallet, wait_for_lock
from .workers import VAPI_KEY, eventually, start_worker, vapi_at, worker_url

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Errand = Callable[..., Awaitable[int]]
StartWorker = Callable[[], WalletProcess]

DAY = days_ago(5)
LIST = "/vapi/call"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connection(connect: Connect) -> Connection:
    """To a database in which no day is due yet."""
    connection = connect()
    let_nothing_be_due(connection)
    return connection


@asynccontextmanager
async def worker_database(database: str) -> AsyncIterator[Database]:
    opened = Database(worker_url(database), pool_size=4, timeout=10)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def reconcile(database: str, sandbox: RunningSandbox) -> AsyncIterator[Errand]:
    """Runs the errand once."""
    settings = Settings.load(vapi_api_key=VAPI_KEY, vapi_api_base=sandbox.vapi_url)
    async with worker_database(database) as opened, vapi_client(settings) as vapi:

        async def run(worker: str = "a worker", stop: asyncio.Event | None = None) -> int:
            return await reconcile_calls(opened, vapi, worker, stop or asyncio.Event())

        yield run


@pytest.fixture
def worker(database: str, sandbox: RunningSandbox, tmp_path: Path) -> StartWorker:
    """Starts `wallet worker` beside this sandbox."""

    def start() -> WalletProcess:
        folder = tmp_path / f"worker-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return start_worker(folder, database, **vapi_at(sandbox))

    return start


def told(process: WalletProcess, event: str, day: datetime = DAY) -> list[dict[str, Any]]:
    """The log's lines about this event of this day."""
    lines = [json.loads(line) for line in process.output.splitlines()]
    return [
        line
        for line in lines
        if line["event"] == event and line.get("from", day.isoformat()) == day.isoformat()
    ]


def listeners(connection: Connection) -> int:
    """How many workers wait to be notified."""
    return connection.execute(
        """
        select from pg_catalog.pg_stat_activity
         where datname = current_database() and query ~ '^listen' and state = 'idle'
        """
    ).rowcount


async def until_done(connection: Connection, day: datetime = DAY) -> None:
    await eventually(lambda: is_done(connection, day))


async def until_listed(sandbox: RunningSandbox, times: int, day: datetime = DAY) -> list[str]:
    """Until Vapi was asked so many times for calls of this day."""
    async with asyncio.timeout(30):
        while True:
            listings = await listings_of(sandbox, day)
            if len(listings) >= times:
                return listings
            await asyncio.sleep(0.01)


async def test_calls_that_no_webhook_told_of_are_billed_once(
    sandbox: RunningSandbox, connection: Connection, reconcile: Errand
) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    missed = await take_place(sandbox, org_id, DAY, 30)
    [known] = await take_place(sandbox, org_id, DAY, 1)
    report_call(connection, org_id, DAY, known)
    request(connection, DAY)

    with capture_logs() as logs:
        assert await reconcile() == 1

    expected = {**dict.fromkeys(missed, (CALL_PENCE, True)), known: (CALL_PENCE, False)}
    assert billed(connection, org_id) == expected
    assert balance(connection, org_id) == 100_00 - 31 * CALL_PENCE
    [line] = [line for line in logs if line["event"] == "reconciliation_done"]
    assert (line["providerCalls"], line["known"], line["recovered"]) == (31, 1, 30)
    assert staged(connection, DAY) == 0

    request(connection, DAY)
    assert await reconcile() == 1
    report = run_of(connection, DAY)["report"]
    assert (report["missing"], report["recovered"]) == (0, 0)
    # The webhook was late, and not lost.
    assert report_call(connection, org_id, DAY, missed[0])["outcome"] == "duplicate"
    assert charges(connection, org_id) == 31


async def test_nothing_that_was_said_is_stored(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    await take_place(sandbox, org_id, DAY, 150)
    request(connection, DAY)
    await sandbox.fault("GET", LIST, answer="hang", skip=1)
    with worker() as process:
        await until_listed(sandbox, 2)
        process.stop(signal.SIGKILL)
    rows = connection.execute("select report::text from wallet.provider_calls").fetchall()
    assert len(rows) == 100
    for (report,) in rows:
        assert "appointment" not in report
        assert "7946" not in report


async def test_what_is_due_by_itself_needs_nobody_to_ask(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    yesterday = days_ago(1)
    connection.execute("delete from wallet.call_reconciliations where from_at = %s", [yesterday])
    connection.execute("select wallet.configure_calls('ann', p_reconcile_at => '00:00')")
    org_id = open_wallet(connection, balance_pence=10_00)
    missed = await take_place(sandbox, org_id, yesterday, 3)
    with worker() as process:
        await eventually(lambda: set(billed(connection, org_id)) == set(missed))
        await eventually(lambda: told(process, "reconciliation_done", yesterday))
        assert process.stop() == 0
    assert "errand_failed" not in process.output
    assert "database_error" not in process.output
    assert "reconciliation_off" not in process.output
    assert VAPI_KEY not in process.output


async def test_a_worker_wakes_up_for_an_operator(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    with worker() as process:
        await eventually(lambda: listeners(connection) == 1)
        missed = await take_place(sandbox, org_id, DAY, 2)
        request(connection, DAY)
        await until_done(connection)
        assert set(billed(connection, org_id)) == set(missed)
        assert process.stop() == 0


async def test_a_killed_worker_is_followed_by_one_that_goes_on_where_it_was(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    missed = await take_place(sandbox, org_id, DAY, 450)
    request(connection, DAY)
    await sandbox.fault("GET", LIST, answer="hang", skip=3)
    with worker() as process:
        listings = await until_listed(sandbox, 4)
        assert process.stop(signal.SIGKILL) == -signal.SIGKILL
    assert staged(connection, DAY) == 298
    assert billed(connection, org_id) == {}

    with worker() as process:
        await eventually(lambda: told(process, "worker_started"))
        assert await listings_of(sandbox, DAY) == listings
        let_leases_end(connection)
        connection.execute("notify pgwallet_reconcile")
        await until_done(connection)
        [started] = told(process, "reconciliation_started")
        assert started["resumed"] is True
        assert process.stop() == 0
    # What the first one had stored was not asked for again.
    assert (await listings_of(sandbox, DAY))[4] == listings[3]
    assert max((await listings_of(sandbox, DAY))[4:]) == listings[3]
    assert billed(connection, org_id) == dict.fromkeys(missed, (CALL_PENCE, True))
    assert charges(connection, org_id) == 450


async def test_a_worker_that_is_killed_while_it_bills_bills_all_or_nothing(
    sandbox: RunningSandbox, connection: Connection, connect: Connect, worker: StartWorker
) -> None:
    first, second = sorted(open_wallet(connection, balance_pence=100_00) for _ in range(2))
    for org_id in (first, second):
        await take_place(sandbox, org_id, DAY, 3)
    request(connection, DAY)
    with locked_wallet(connect(), second), worker() as process:
        billing = await wait_for_lock(connection)
        assert process.stop(signal.SIGKILL) == -signal.SIGKILL
        connection.execute("select pg_terminate_backend(%s, 5000)", [billing])
    assert billed(connection, first) == billed(connection, second) == {}

    let_leases_end(connection)
    with worker() as process:
        await until_done(connection)
        assert process.stop() == 0
    assert [charges(connection, org_id) for org_id in (first, second)] == [3, 3]
    assert run_of(connection, DAY)["report"]["recovered"] == 6


@pytest.mark.parametrize("balance_pence", [10_000_00, 0], ids=["paid", "owed"])
async def test_a_day_without_any_webhook_is_billed_part_by_part(
    sandbox: RunningSandbox,
    connection: Connection,
    connect: Connect,
    worker: StartWorker,
    balance_pence: int,
) -> None:
    """Of one wallet, which may be charged in between; and by a worker that is killed on the way."""
    calls, debt_limit, at_once = 3000, 5_00, 200
    org_id = open_wallet(connection, balance_pence=balance_pence)
    missed = await take_place(sandbox, org_id, DAY, calls)
    request(connection, DAY)

    def charge() -> None:
        with connect(options="-c lock_timeout=1s") as session:
            [(answer,)] = session.execute(
                "select wallet.bill_call(%s, 'live', %s, 'live')", [org_id, CALL_SECONDS]
            ).fetchall()
        assert answer["actual_cost_pence"] == CALL_PENCE

    with worker() as process:
        await kill_between_transactions(
            connection,
            connect(),
            DAY,
            kill=lambda: process.stop(signal.SIGKILL),
            before=charge,
        )
    begun = sum(reconciled(connection))
    assert 0 < begun < calls
    assert run_of(connection, DAY)["alerted_at"] is None

    let_leases_end(connection)
    with worker() as process:
        await until_done(connection)
        assert process.stop() == 0

    assert reconciled(connection) == [at_once] * (calls // at_once)
    costs = dict(billed(connection, org_id))
    assert costs.pop("live") == (CALL_PENCE, False)
    assert costs == dict.fromkeys(missed, (CALL_PENCE, True))
    spendable = balance_pence or debt_limit
    cost = calls * CALL_PENCE
    expected = {
        "known": 0,
        "missing": calls,
        "recovered": calls,
        "recovered_pence": cost,
        "recovered_by_currency": {"gbp": cost},
        "owed_pence": max(0, cost - spendable),
        "failed_count": 0,
        "mismatched_count": 0,
        "reliability_percent": 0,
        "alerted": True,
    }
    report = run_of(connection, DAY)["report"]
    assert {key: report[key] for key in expected} == expected
    alerts = "select from wallet.outbox_messages where topic = 'reliability_low'"
    assert connection.execute(alerts).rowcount == 1
    assert staged(connection, DAY) == 0


async def test_two_workers_alive_at_three_run_once(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    missed = await take_place(sandbox, org_id, DAY, 250)
    with worker() as one, worker() as other:
        await eventually(lambda: listeners(connection) == 2)
        await sandbox.fault("GET", LIST, delay_seconds=0.2, times=4)
        request(connection, DAY)
        await until_done(connection)
        connection.execute("notify pgwallet_reconcile")
        assert [one.stop(), other.stop()] == [0, 0]
    for event in ("reconciliation_started", "reconciliation_done"):
        assert len(told(one, event)) + len(told(other, event)) == 1
    assert len(await listings_of(sandbox, DAY)) == 4
    assert billed(connection, org_id) == dict.fromkeys(missed, (CALL_PENCE, True))
    assert charges(connection, org_id) == 250


async def test_a_worker_that_slept_past_its_lease_leaves_the_window_to_the_other(
    sandbox: RunningSandbox, connection: Connection, reconcile: Errand
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    await take_place(sandbox, org_id, DAY, 150)
    request(connection, DAY)
    await sandbox.fault("GET", LIST, delay_seconds=1)
    with capture_logs() as logs:
        sleeper = asyncio.ensure_future(reconcile("a sleeper"))
        await until_listed(sandbox, 1)
        let_leases_end(connection)
        assert await reconcile("another") == 1
        assert await sleeper == 0
    ends = [line["event"] for line in logs if line["event"].endswith(("_lost", "_done"))]
    assert sorted(ends) == ["reconciliation_done", "reconciliation_lost"]
    assert charges(connection, org_id) == 150


async def test_a_worker_told_to_stop_gives_the_window_back_at_once(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    await take_place(sandbox, org_id, DAY, 250)
    request(connection, DAY)
    await sandbox.fault("GET", LIST, answer="hang", skip=1)
    with worker() as process:
        await until_listed(sandbox, 2)
        assert process.stop() == 0
        assert told(process, "reconciliation_stopped")
        assert "Traceback" not in process.output
    run = run_of(connection, DAY)
    assert (run["status"], run["claimed_by"]) == ("due", None)
    assert run["last_error"] == "It was stopped, and goes on there."
    assert run["listed_back_to"] < run["to_at"]

    let_leases_end(connection)
    with worker() as process:
        await until_done(connection)
        assert process.stop() == 0
    assert charges(connection, org_id) == 250


async def test_a_worker_told_to_stop_finishes_what_it_bills(
    sandbox: RunningSandbox, connection: Connection, connect: Connect, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    await take_place(sandbox, org_id, DAY, 3)
    request(connection, DAY)
    with worker() as process:
        with locked_wallet(connect(), org_id):
            await wait_for_lock(connection)
            process.process.send_signal(signal.SIGTERM)
            await eventually(lambda: told(process, "worker_stopping"))
        await eventually(lambda: process.process.poll() is not None)
        assert process.process.returncode == 0
        assert told(process, "reconciliation_done")
    assert is_done(connection, DAY)
    assert charges(connection, org_id) == 3


async def test_a_worker_told_to_stop_gives_back_what_it_has_not_billed_yet(
    sandbox: RunningSandbox, connection: Connection, connect: Connect, worker: StartWorker
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    await take_place(sandbox, org_id, DAY, 250)
    request(connection, DAY)
    with worker() as process:
        with locked_wallet(connect(), org_id):
            await wait_for_lock(connection)
            process.process.send_signal(signal.SIGTERM)
            await eventually(lambda: told(process, "worker_stopping"))
        await eventually(lambda: process.process.poll() is not None)
        assert process.process.returncode == 0
        assert told(process, "reconciliation_stopped")
    run = run_of(connection, DAY)
    assert (run["status"], run["claimed_by"]) == ("due", None)
    assert reconciled(connection) == [200]

    let_leases_end(connection)
    with worker() as process:
        await until_done(connection)
        assert process.stop() == 0
    assert reconciled(connection) == [200, 50]
    assert run_of(connection, DAY)["report"]["recovered"] == 250


async def test_a_refused_key_is_told_and_tried_again_later(
    sandbox: RunningSandbox, connection: Connection, reconcile: Errand
) -> None:
    request(connection, DAY)
    await sandbox.fault("GET", LIST, answer=401)

    before = datetime.now(UTC)
    with capture_logs() as logs:
        assert await reconcile() == 0
    run = run_of(connection, DAY)
    assert (run["status"], run["claimed_by"]) == ("due", None)
    assert run["last_error"] == (
        "Vapi doesn't accept VAPI_API_KEY (HTTP 401): set it to a private API key that is in use."
    )
    assert run["next_try_at"] > before + timedelta(seconds=50)
    [line] = [line for line in logs if line["event"] == "reconciliation_failed"]
    assert line["error"] == run["last_error"]
    assert VAPI_KEY not in str(logs)

    let_leases_end(connection)
    assert await reconcile() == 1
    assert run_of(connection, DAY)["last_error"] is None


async def test_what_was_listed_before_vapi_failed_is_not_asked_for_again(
    sandbox: RunningSandbox,
    connection: Connection,
    reconcile: Errand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.001)
    org_id = open_wallet(connection, balance_pence=1000_00)
    await take_place(sandbox, org_id, DAY, 250)
    request(connection, DAY)
    await sandbox.fault("GET", LIST, answer=503, skip=2, times=5)

    assert await reconcile() == 0
    assert "5 times in a row (the last time: HTTP 503)" in run_of(connection, DAY)["last_error"]
    listings = await listings_of(sandbox, DAY)
    let_leases_end(connection)
    assert await reconcile() == 1
    assert (await listings_of(sandbox, DAY))[len(listings)] == listings[-1]
    assert charges(connection, org_id) == 250


async def test_a_day_that_is_not_over_is_listed_anew_after_an_interruption(
    sandbox: RunningSandbox, connection: Connection, reconcile: Errand
) -> None:
    """Calls that were made since the first pages are above what those pages had."""
    today = days_ago(0)
    org_id = open_wallet(connection, balance_pence=1000_00)
    early = await take_place(sandbox, org_id, today - timedelta(hours=9), 150, duration_seconds=0)
    request(connection, today)
    await sandbox.fault("GET", LIST, answer=401, skip=1)
    assert await reconcile() == 0
    assert staged(connection, today) == 100

    [late] = await take_place(sandbox, org_id, today + timedelta(hours=9, minutes=40))
    let_leases_end(connection)
    assert await reconcile() == 1
    assert set(billed(connection, org_id)) == {*early, late}


async def test_a_page_that_the_database_refuses_does_not_come_back_at_once(
    sandbox: RunningSandbox, connection: Connection, reconcile: Errand
) -> None:
    await take_place(sandbox, None, DAY)
    request(connection, DAY)
    signature = (
        "wallet.save_provider_calls(text, timestamptz, timestamptz, jsonb, timestamptz, integer)"
    )
    connection.execute(f"revoke execute on function {signature} from wallet_worker".encode())

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await reconcile()
    run = run_of(connection, DAY)
    assert (run["claimed_by"], run["last_error"]) == (
        None,
        "The database refused (SQLSTATE 42501).",
    )
    assert await reconcile() == 0
    assert len(await listings_of(sandbox, DAY)) == 1


async def test_calls_that_could_not_be_billed_are_tried_again_after_each_run(
    sandbox: RunningSandbox, connection: Connection, reconcile: Errand
) -> None:
    """The webhook told of them before their assistant belonged to anybody."""
    org_id = open_wallet(connection, balance_pence=10_00)
    answer = report_call(connection, None, days_ago(30), "vapi-1", assistant_id="assistant-1")
    assert answer["outcome"] == "failed"
    add_assistant(connection, org_id, "assistant-1")
    request(connection, DAY)
    with capture_logs() as logs:
        assert await reconcile() == 1
    assert billed(connection, org_id) == {"vapi-1": (CALL_PENCE, False)}
    [line] = [line for line in logs if line["event"] == "unbilled_calls_replayed"]
    assert (line["billed"], line["failed"]) == (1, 0)


async def test_without_a_key_a_worker_says_so_once_and_does_the_rest(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    request(connection, DAY)
    report_call(connection, None, DAY, "vapi-1", assistant_id="assistant-1")
    add_assistant(connection, org_id, "assistant-1")
    with start_worker(tmp_path, database) as process:
        await eventually(lambda: billed(connection, org_id))
        connection.execute("notify pgwallet_reconcile")
        assert process.stop() == 0
    assert len(told(process, "reconciliation_off")) == 1
    assert run_of(connection, DAY)["attempts"] == 0
