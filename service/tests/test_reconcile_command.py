"""`wallet reconcile`: a day's calls compared with Vapi's list, through the real process."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psycopg
import pytest

from ..home import SANDBOX_URL_FILE
from ..run import DEMO_ORG_ID
from .reconciliations import (
    CALL_PENCE,
    billed,
    charges,
    days_ago,
    is_done,
    kill_between_transactions,
    let_leases_end,
    let_nothing_be_due,
    listings_of,
    report_call,
    request,
    run_of,
    take_place,
)
from .sandboxes import RunningSandbox, connected, running_test_sandbox
from .services import (
    WalletProcess,
    balance,
    open_wallet,
    wallet,
    wallet_command,
    wallet_environment,
)
from .workers import VAPI_KEY, eventually, start_worker, vapi_at

Connection = psycopg.Connection[Any]
Reconcile = Callable[..., Awaitable[CompletedProcess[str]]]

OPERATOR = "pgwallet_test_operator"
LIST = "/vapi/call"
DAY = days_ago(5)
YESTERDAY = days_ago(1)


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def operator(database: str, connection: Connection) -> str:
    """The database for a login that is in service_role and nothing else."""
    if not connection.execute("select from pg_roles where rolname = %s", [OPERATOR]).rowcount:
        connection.execute(f"create role {OPERATOR} login in role service_role")
    return database.replace("//postgres@", f"//{OPERATOR}@", 1)


@pytest.fixture
def reconcile(operator: str, sandbox: RunningSandbox, tmp_path: Path) -> Reconcile:
    """Runs `wallet reconcile` against the sandbox, to its end."""

    async def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
        environment = environment_of(operator, sandbox) | settings
        return await asyncio.to_thread(wallet, tmp_path, "reconcile", *arguments, **environment)

    return run


def environment_of(database: str, sandbox: RunningSandbox) -> dict[str, str]:
    return {"DATABASE_URL": database, **vapi_at(sandbox)}


def named(day: datetime) -> str:
    return day.date().isoformat()


async def until_listed(sandbox: RunningSandbox, times: int) -> None:
    async with asyncio.timeout(60):
        while True:
            if len(await listings_of(sandbox, DAY)) >= times:
                return
            await asyncio.sleep(0.02)


async def test_yesterday_is_reconciled_and_the_report_can_be_read(
    sandbox: RunningSandbox, connection: Connection, reconcile: Reconcile
) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    missed = await take_place(sandbox, org_id, YESTERDAY, 120)
    [known] = await take_place(sandbox, org_id, YESTERDAY)
    report_call(connection, org_id, YESTERDAY, known)
    await take_place(sandbox, org_id, YESTERDAY, status="in-progress")

    first = await reconcile()
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        f"{named(YESTERDAY)} (UTC): 122 calls at Vapi, 1 known, 120 missing.",
        "Recovered: £67.20 for 120 calls.",
        "The webhook told of 0.83 % of the calls. An alert was raised.",
        "Not ended yet: 1 call.",
    ]
    assert set(billed(connection, org_id)) == {*missed, known}
    assert balance(connection, org_id) == 100_00 - 121 * CALL_PENCE

    again = await reconcile("--date", "yesterday")
    assert again.returncode == 0
    assert again.stdout.splitlines() == [
        f"{named(YESTERDAY)} (UTC): 122 calls at Vapi, 121 known, 0 missing.",
        "Recovered: nothing.",
        "The webhook told of 0.83 % of the calls.",
        "Not ended yet: 1 call.",
    ]
    assert charges(connection, org_id) == 121


async def test_money_of_several_currencies_is_not_added_up(
    sandbox: RunningSandbox, connection: Connection, reconcile: Reconcile
) -> None:
    pounds = open_wallet(connection, balance_pence=100_00)
    dollars = open_wallet(connection, balance_pence=1_00, currency="usd")
    await take_place(sandbox, pounds, DAY, 3)
    await take_place(sandbox, dollars, DAY, 10)

    result = await reconcile("--date", named(DAY))
    assert result.returncode == 0, result.stderr
    assert "Recovered: $7.00 for 10 calls, of which $1.00 is owed; £1.68 for 3 calls." in (
        result.stdout.splitlines()
    )


async def test_what_differs_and_what_failed_is_listed(
    sandbox: RunningSandbox, connection: Connection, reconcile: Reconcile
) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    [differing] = await take_place(sandbox, org_id, DAY, duration_seconds=90)
    report_call(connection, org_id, DAY, differing)
    report_call(connection, org_id, DAY, "vapi-unheard-of", call_id="ours")
    failing = await take_place(sandbox, None, DAY, 25)

    result = await reconcile("--date", named(DAY))
    assert result.returncode == 1
    assert result.stderr == (
        "Error: 25 calls could not be billed: this command tries again, and so does the worker.\n"
    )
    lines = result.stdout.splitlines()
    at = lines.index("Of another duration: 1 call.")
    assert lines[at + 1] == f"  {differing}: 60 s here, 90 s at Vapi"
    at = lines.index("Not in Vapi's list: 1 call.")
    assert lines[at + 1] == "  vapi-unheard-of (call ours)"
    at = lines.index("Not billed: 25 calls.")
    told = lines[at + 1 : at + 21]
    assert all(re.fullmatch(r"  [0-9a-f-]{36}: \w+: .+", line) for line in told), told
    assert {line.split(":")[0].strip() for line in told} <= set(failing)
    assert lines[at + 21 :] == ["  and 5 more"]


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_an_interrupted_run_goes_on_where_it_was(
    sandbox: RunningSandbox,
    connection: Connection,
    operator: str,
    reconcile: Reconcile,
    tmp_path: Path,
    ended_by: signal.Signals,
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    await take_place(sandbox, org_id, DAY, 350)
    await sandbox.fault("GET", LIST, answer="hang", skip=2)
    arguments = ("reconcile", "--date", named(DAY))
    with WalletProcess(tmp_path, *arguments, **environment_of(operator, sandbox)) as process:
        await until_listed(sandbox, 3)
        code = process.stop(ended_by)
    if ended_by is signal.SIGKILL:
        refused = await reconcile("--date", named(DAY))
        assert refused.returncode == 1
        assert re.fullmatch(
            r"Error: \S+ is at this day right now: try again after \d\d:\d\d:\d\d UTC,"
            r" should it not be done before\.\n",
            refused.stderr,
        )
        let_leases_end(connection)
    else:
        assert code == 130
        assert "Error: Stopped. The same command goes on where it stopped." in process.output
        assert "Traceback" not in process.output

    result = await reconcile("--date", named(DAY))
    assert result.returncode == 0, result.stderr
    assert re.match(r"Going on at 09:\d\d:\d\d UTC\.\n", result.stdout)
    assert "350 missing" in result.stdout
    listings = await listings_of(sandbox, DAY)
    assert listings[3] == listings[2]
    assert charges(connection, org_id) == 350


async def test_what_was_billed_before_an_interruption_is_in_the_report(
    sandbox: RunningSandbox,
    connection: Connection,
    connect: Callable[..., Connection],
    operator: str,
    reconcile: Reconcile,
    tmp_path: Path,
) -> None:
    pounds = open_wallet(connection, balance_pence=1000_00)
    dollars = open_wallet(connection, balance_pence=1_00, currency="usd")
    await take_place(sandbox, pounds, DAY, 230)
    await take_place(sandbox, dollars, DAY, 220)
    arguments = ("reconcile", "--date", named(DAY))
    with WalletProcess(tmp_path, *arguments, **environment_of(operator, sandbox)) as process:
        await kill_between_transactions(
            connection, connect(), DAY, kill=lambda: process.stop(signal.SIGKILL)
        )
    let_leases_end(connection)

    result = await reconcile("--date", named(DAY))
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "Going on at 00:00:00 UTC.",
        f"{named(DAY)} (UTC): 450 calls at Vapi, 0 known, 450 missing.",
        "Recovered: £128.80 for 230 calls; $154.00 for 220 calls, of which $148.00 is owed.",
        "The webhook told of 0 % of the calls. An alert was raised.",
    ]


async def test_a_day_that_a_worker_has_is_left_to_it(
    sandbox: RunningSandbox,
    connection: Connection,
    database: str,
    reconcile: Reconcile,
    tmp_path: Path,
) -> None:
    let_nothing_be_due(connection)
    org_id = open_wallet(connection, balance_pence=100_00)
    await take_place(sandbox, org_id, DAY, 3)
    await sandbox.fault("GET", LIST, delay_seconds=5)
    request(connection, DAY)
    folder = tmp_path / "worker"
    folder.mkdir()
    with start_worker(folder, database, **vapi_at(sandbox)) as worker:
        await until_listed(sandbox, 1)
        result = await reconcile("--date", named(DAY))
        assert result.returncode == 1
        assert re.match(r"Error: \S+ is at this day right now: try again after", result.stderr)
        await eventually(lambda: is_done(connection, DAY))
        assert worker.stop() == 0
    assert charges(connection, org_id) == 3


async def test_two_commands_at_once_are_one_run(
    sandbox: RunningSandbox, connection: Connection, reconcile: Reconcile
) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    await take_place(sandbox, org_id, DAY, 3)
    await sandbox.fault("GET", LIST, delay_seconds=5)

    results = await asyncio.gather(*(reconcile("--date", named(DAY)) for _ in range(2)))
    assert sorted(result.returncode for result in results) == [0, 1]
    assert charges(connection, org_id) == 3


async def test_somebody_who_looks_sees_how_far_it_is(
    sandbox: RunningSandbox, connection: Connection, operator: str, tmp_path: Path
) -> None:
    org_id = open_wallet(connection, balance_pence=1000_00)
    await take_place(sandbox, org_id, DAY, 250)
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *wallet_command("reconcile", "--date", named(DAY)),
        cwd=tmp_path,
        env=wallet_environment(environment_of(operator, sandbox)),
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    stdout, _ = await process.communicate()
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert b"250 missing" in stdout
    for percent in ("60%", "61%", "100%"):
        assert re.search(rf"Listing Vapi's calls.* {percent}", seen), seen
    assert re.search(r"Billing what is missing.* 100%", seen), seen


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2999-01-01", "2999-01-01 lies in the future."),
        ("7d", "'7d' is neither a date, 2026-11-20, nor today or yesterday."),
        ("2026-02-30", "'2026-02-30' is neither a date"),
    ],
)
async def test_the_day_must_be_one_that_has_begun(
    sandbox: RunningSandbox, reconcile: Reconcile, day: str, message: str
) -> None:
    result = await reconcile("--date", day)
    assert result.returncode == 2
    assert message in result.stderr
    assert await sandbox.listings() == []


async def test_today_can_be_reconciled_as_far_as_it_is(
    sandbox: RunningSandbox, connection: Connection, reconcile: Reconcile
) -> None:
    today = days_ago(0)
    org_id = open_wallet(connection, balance_pence=100_00)
    await take_place(sandbox, org_id, today - timedelta(hours=9), 2, duration_seconds=0)
    first = await reconcile("--date", "today")
    assert first.returncode == 0, first.stderr
    assert "2 calls at Vapi, 0 known, 2 missing." in first.stdout
    [late] = await take_place(sandbox, org_id, today - timedelta(hours=8, minutes=59))
    second = await reconcile("--date", "today")
    assert "3 calls at Vapi, 2 known, 1 missing." in second.stdout
    assert late in billed(connection, org_id)


async def test_what_vapi_does_wrong_is_told_in_a_sentence(
    sandbox: RunningSandbox, connection: Connection, reconcile: Reconcile
) -> None:
    await sandbox.fault("GET", LIST, answer=401)
    result = await reconcile("--date", named(DAY))
    assert (result.returncode, result.stderr) == (
        1,
        "Error: Vapi doesn't accept VAPI_API_KEY (HTTP 401): set it to a private API key that is"
        " in use. The same command goes on where it stopped.\n",
    )
    assert run_of(connection, DAY)["claimed_by"] is None
    assert (await reconcile("--date", named(DAY))).returncode == 0

    elsewhere = await reconcile(VAPI_API_BASE=sandbox.url)
    assert elsewhere.returncode == 1
    assert "There is no list of calls at VAPI_API_BASE (HTTP 404)" in elsewhere.stderr
    assert VAPI_KEY not in elsewhere.stdout + elsewhere.stderr


def test_without_a_key_it_says_what_to_set(operator: str, tmp_path: Path) -> None:
    result = wallet(tmp_path, "reconcile", DATABASE_URL=operator)
    assert (result.returncode, result.stderr) == (2, "Error: VAPI_API_KEY is not set.\n")


def test_without_a_database_it_says_what_to_start(tmp_path: Path) -> None:
    result = wallet(tmp_path, "reconcile", VAPI_API_KEY=VAPI_KEY)
    assert result.returncode == 1
    assert "There is no database in .pgwallet" in result.stderr


def test_a_database_that_is_not_up_to_date_is_told(empty_database: str, tmp_path: Path) -> None:
    result = wallet(tmp_path, "reconcile", DATABASE_URL=empty_database, VAPI_API_KEY=VAPI_KEY)
    assert result.returncode == 1
    assert "The database is not up to date: run `wallet migrate` first." in result.stderr


async def test_it_finds_the_sandbox_and_the_database_of_wallet_run(tmp_path: Path) -> None:
    """In another terminal, without any setting."""
    with WalletProcess(tmp_path, "run", PORT="0") as process:
        await asyncio.to_thread(process.wait_for_url)
        async with connected((tmp_path / SANDBOX_URL_FILE).read_text().strip()) as sandbox:
            await take_place(sandbox, DEMO_ORG_ID, DAY, 3)
        result = await asyncio.to_thread(wallet, tmp_path, "reconcile", "--date", named(DAY))
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.splitlines()[1] == ("Recovered: £1.68 for 3 calls.")
        assert process.stop() == 0
