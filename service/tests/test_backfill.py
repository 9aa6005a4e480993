"""`wallet backfill`: what Stripe has and the wallets don't, through the real process."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from ..sandbox.events import topup_metadata
from .sandboxes import KEY, RunningSandbox, charge_params, running_test_sandbox
from .services import (
    WalletProcess,
    balance,
    locked_wallet,
    open_wallet,
    stored_events,
    topups,
    wait_for_lock,
    wallet,
    wallet_command,
    wallet_environment,
)

Connection = psycopg.Connection[Any]
Backfill = Callable[..., Awaitable[CompletedProcess[str]]]

OPERATOR = "pgwallet_test_operator"
DAY = 24 * 3600


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
def backfill(operator: str, tmp_path: Path) -> Backfill:
    """Runs `wallet backfill` against a sandbox, to its end."""

    async def run(
        sandbox: RunningSandbox, *arguments: str, since: str = "1h", **settings: str
    ) -> CompletedProcess[str]:
        environment = environment_of(operator, sandbox) | settings
        return await asyncio.to_thread(
            wallet, tmp_path, "backfill", "--since", since, *arguments, **environment
        )

    return run


def environment_of(database: str, sandbox: RunningSandbox) -> dict[str, str]:
    return {
        "DATABASE_URL": database,
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": sandbox.url,
    }


async def pay(
    sandbox: RunningSandbox, org_id: UUID, pence: int = 50_00, card: str = "pm_card_visa"
) -> str:
    """The id of a payment intent that nobody is told of."""
    customer, card_id = await sandbox.add_customer(card)
    intent = await sandbox.stripe.v1.payment_intents.create_async(
        charge_params(customer, card_id, amount=pence, metadata=topup_metadata(org_id, pence))
    )
    return str(intent.id)


def change_sandbox(folder: Path, statement: str, *values: Any) -> None:
    """What Stripe has, changed while the sandbox doesn't run."""
    with sqlite3.connect(folder / "stripe.sqlite3") as store:
        store.execute(statement, values)
    store.close()


def fingerprint(connection: Connection) -> dict[str, str]:
    """Everything that is stored, but for the runs themselves."""
    tables = connection.execute(
        """
        select relname from pg_class
         where relnamespace = 'wallet'::regnamespace and relkind = 'r'
           and relname <> 'stripe_backfills'
        """
    ).fetchall()
    query = sql.SQL("select md5(string_agg(t::text, '|' order by t::text)) from {} as t")
    return {
        name: str(connection.execute(query.format(sql.Identifier("wallet", name))).fetchall())
        for (name,) in tables
    }


async def test_a_payment_whose_events_never_arrived_is_credited_once(
    connection: Connection, backfill: Backfill
) -> None:
    org_id = open_wallet(connection, balance_pence=5_00)
    async with running_test_sandbox() as sandbox:
        intent = await pay(sandbox, org_id)

        first = await backfill(sandbox)
        assert first.returncode == 0, first.stderr
        assert "1 payment recovered (£50.00), nothing changed: " in first.stdout
        assert "progress" not in first.stderr
        assert topups(connection, org_id) == [(50_00, intent)]
        assert balance(connection, org_id) == 55_00

        before = fingerprint(connection)
        second = await backfill(sandbox)
        assert second.returncode == 0
        assert second.stdout.startswith("0 events applied, nothing changed: ")
        assert fingerprint(connection) == before


async def test_refunds_and_disputes_that_were_missed_are_taken_back(
    connection: Connection, backfill: Backfill
) -> None:
    refunded, disputed, won = (open_wallet(connection) for _ in range(3))
    async with running_test_sandbox() as sandbox:
        intent = await pay(sandbox, refunded)
        await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent, "amount": 20_00})
        intent = await pay(sandbox, disputed)
        await sandbox.control("POST", f"/payment_intents/{intent}/dispute")
        intent = await pay(sandbox, won)
        dispute = await sandbox.control("POST", f"/payment_intents/{intent}/dispute")
        await sandbox.control("POST", f"/disputes/{dispute['id']}/close", {"status": "won"})

        result = await backfill(sandbox)
        assert result.returncode == 0, result.stderr
        assert "3 payments recovered (£150.00)" in result.stdout
        assert "1 refund (-£20.00)" in result.stdout
        assert "3 disputes (-£50.00)" in result.stdout
        balances = [balance(connection, each) for each in (refunded, disputed, won)]
        assert balances == [30_00, 0, 50_00]
        assert "0 events applied" in (await backfill(sandbox)).stdout


async def test_what_no_event_was_made_of_is_found_by_comparing(
    connection: Connection, backfill: Backfill, tmp_path: Path
) -> None:
    """Stripe has the objects, and neither delivered nor listed an event."""
    refunded, disputed, declined, told = (open_wallet(connection) for _ in range(4))
    folder = tmp_path / "sandbox"
    async with running_test_sandbox(folder=folder) as sandbox:
        intent = await pay(sandbox, refunded)
        await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent, "amount": 20_00})
        intent = await pay(sandbox, disputed)
        await sandbox.control("POST", f"/payment_intents/{intent}/dispute")
        with pytest.raises(Exception, match="declined"):
            await pay(sandbox, declined, card="pm_card_chargeCustomerFail")
        await pay(sandbox, told)
        await sandbox.stripe.v1.payment_intents.create_async(
            {"amount": 9_99, "currency": "gbp", "metadata": {"type": "subscription"}}
        )
    change_sandbox(
        folder,
        """
        delete from objects
         where kind = 'event' and body not like ?
        """,
        f"%{told}%",
    )
    async with running_test_sandbox(folder=folder) as sandbox:
        assert {event["data"]["object"]["object"] for event in await sandbox.objects("event")} <= {
            "payment_intent",
            "charge",
        }
        result = await backfill(sandbox)
        assert result.returncode == 0, result.stderr
        assert "3 payments recovered (£150.00)" in result.stdout
        assert "1 refund (-£20.00)" in result.stdout
        assert "1 dispute (-£50.00)" in result.stdout
        balances = [balance(connection, each) for each in (refunded, disputed, declined, told)]
        assert balances == [30_00, 0, 0, 50_00]
        statuses = connection.execute(
            "select status from wallet.topups where org_id = %s", [declined]
        ).fetchall()
        assert statuses == [("failed",)]
        made_up = [name for name in stored_events(connection) if name.startswith("reconciled:")]
        assert len(made_up) == 6, made_up

        before = fingerprint(connection)
        again = await backfill(sandbox)
        assert again.stdout.startswith("0 events applied, nothing changed: ")
        assert fingerprint(connection) == before


async def test_a_run_looks_at_every_page_of_every_day(
    connection: Connection, backfill: Backfill, tmp_path: Path
) -> None:
    """More events than a page holds, some of them days old, a refund before its payment."""
    org_id, old = open_wallet(connection), open_wallet(connection)
    folder = tmp_path / "sandbox"
    async with running_test_sandbox(folder=folder) as sandbox:
        intent = await pay(sandbox, old)
        await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent, "amount": 20_00})
        customer, card_id = await sandbox.add_customer()
        for _ in range(120):
            await sandbox.stripe.v1.payment_intents.create_async(
                charge_params(customer, card_id, amount=100, metadata=topup_metadata(org_id, 100))
            )
    change_sandbox(
        folder,
        """
        update objects set body = json_set(body, '$.created', ?)
         where kind = 'event' and body like ? and body like '%"object": "payment_intent"%'
        """,
        int(time.time()) - 3 * DAY,
        f"%{old}%",
    )
    async with running_test_sandbox(folder=folder) as sandbox:
        result = await backfill(sandbox, since="5d")
        assert result.returncode == 0, result.stderr
        assert "121 payments recovered (£170.00), 1 refund (-£20.00)" in result.stdout
        assert balance(connection, org_id) == 120_00
        assert balance(connection, old) == 30_00
        pages = await sandbox.requests("GET", "/v1/events")
        # Five days, two requests for all the types, and further pages on the last day.
        assert len(pages) > 5 * 2


@pytest.mark.parametrize("reached", ["/v1/events", "/v1/payment_intents", "/v1/refunds"])
async def test_a_killed_run_goes_on_where_it_was(
    connection: Connection, backfill: Backfill, operator: str, tmp_path: Path, reached: str
) -> None:
    first, second = open_wallet(connection), open_wallet(connection)
    async with running_test_sandbox(folder=tmp_path / "sandbox") as sandbox:
        await pay(sandbox, first)
        await pay(sandbox, second)
        await sandbox.fault("GET", reached, answer="hang")

        arguments = ("backfill", "--since", "3d")
        with WalletProcess(tmp_path, *arguments, **environment_of(operator, sandbox)) as process:
            await reach(sandbox, reached)
            assert process.stop(signal.SIGKILL) == -signal.SIGKILL

        result = await backfill(sandbox, since="3d")
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("Going on at ")
        assert "2 payments recovered (£100.00)" in result.stdout
        assert [len(topups(connection, each)) for each in (first, second)] == [1, 1]
        assert "Going on" not in (await backfill(sandbox, since="3d")).stdout


async def reach(sandbox: RunningSandbox, path: str) -> None:
    """Until this list is asked for."""
    async with asyncio.timeout(60):
        while True:
            if await sandbox.requests("GET", path):
                return
            await asyncio.sleep(0.02)


async def test_a_run_that_is_killed_between_two_payments_counts_both_once(
    connection: Connection, backfill: Backfill, operator: str, tmp_path: Path, connect: Any
) -> None:
    first, second = open_wallet(connection), open_wallet(connection)
    async with running_test_sandbox() as sandbox:
        await pay(sandbox, first)
        await pay(sandbox, second)
        with (
            locked_wallet(connect(), second),
            WalletProcess(
                tmp_path, "backfill", "--since", "1h", **environment_of(operator, sandbox)
            ) as process,
        ):
            await wait_for_lock(connection)
            assert process.stop(signal.SIGKILL) == -signal.SIGKILL
        assert balance(connection, first) == 50_00

        result = await backfill(sandbox)
        assert result.returncode == 0, result.stderr
        assert "2 payments recovered (£100.00)" in result.stdout
        assert [balance(connection, each) for each in (first, second)] == [50_00, 50_00]


async def test_restart_begins_anew(
    connection: Connection, backfill: Backfill, operator: str, tmp_path: Path
) -> None:
    open_wallet(connection)
    async with running_test_sandbox() as sandbox:
        await sandbox.fault("GET", "/v1/disputes", answer="hang")
        environment = environment_of(operator, sandbox)
        with WalletProcess(tmp_path, "backfill", "--since", "1h", **environment) as process:
            await reach(sandbox, "/v1/disputes")
            process.stop(signal.SIGKILL)
        result = await backfill(sandbox, "--restart")
        assert result.returncode == 0, result.stderr
        assert "Going on" not in result.stdout
        runs = connection.execute(
            "select finished_at is not null from wallet.stripe_backfills order by started_at"
        ).fetchall()
        assert runs == [(False,), (True,)]


async def test_somebody_who_looks_sees_how_far_it_is(
    connection: Connection, operator: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    async with running_test_sandbox() as sandbox:
        environment = wallet_environment(environment_of(operator, sandbox))
        process = await asyncio.create_subprocess_exec(
            *wallet_command("backfill", "--since", "3d"),
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        stdout, _ = await process.communicate()
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert stdout == b"0 events applied, nothing changed: 0.\n"
    for percent in ("33%", "66%", "100%"):
        assert re.search(rf"Comparing with Stripe.* {percent}", seen), seen


async def test_a_connected_account_is_the_one_that_is_asked(
    connection: Connection, backfill: Backfill
) -> None:
    org_id = open_wallet(connection)
    connection.execute("select wallet.configure_stripe(false, 'ann', 'acct_connected')")
    async with running_test_sandbox() as sandbox:
        await pay(sandbox, org_id)
        result = await backfill(sandbox)
    assert "1 payment recovered (£50.00)" in result.stdout, result.stderr
    accounts = connection.execute(
        "select distinct event_data ->> 'account' from wallet.processed_stripe_webhooks"
    ).fetchall()
    assert accounts == [("acct_connected",)]


async def test_events_that_fail_are_told_and_replayed(
    connection: Connection, backfill: Backfill
) -> None:
    org_id = uuid4()
    async with running_test_sandbox() as sandbox:
        await pay(sandbox, org_id)
        result = await backfill(sandbox)
        assert result.returncode == 1
        assert re.search(r"Error: \d events? failed: `wallet replay --failed`", result.stderr)

        open_wallet(connection, org_id=org_id)
        result = await backfill(sandbox)
        assert result.returncode == 0, result.stderr
        assert "1 payment recovered (£50.00)" in result.stdout


async def test_stripe_may_be_away_for_a_moment_or_longer(
    connection: Connection, backfill: Backfill
) -> None:
    org_id = open_wallet(connection)
    async with running_test_sandbox() as sandbox:
        await pay(sandbox, org_id)
        await sandbox.fault("GET", "/v1/payment_intents", answer=500)
        assert (await backfill(sandbox)).returncode == 0

        await sandbox.fault("GET", "/v1/refunds", answer=500, times=9)
        result = await backfill(sandbox)
        assert result.returncode == 1
        assert re.fullmatch(
            r"Error: Stripe refused the request \(status 500, .*\)\."
            r" The same command goes on where it stopped\.\n",
            result.stderr,
        )
        nowhere = await backfill(sandbox, STRIPE_API_BASE="http://127.0.0.1:9")
        assert nowhere.returncode == 1
        assert "Stripe can't be reached" in nowhere.stderr
        assert "Traceback" not in nowhere.stderr


@pytest.mark.parametrize(
    ("since", "code", "message"),
    [
        ("31d", 1, "Error: Stripe keeps events for 30 days: begin at 20"),
        ("2020-01-01", 1, "Error: Stripe keeps events for 30 days: begin at 20"),
        ("2999-01-01", 2, "2999-01-01 lies in the future"),
        ("yesterday", 2, "'yesterday' is neither a date, 2026-11-01, nor 7d or 12h"),
    ],
)
async def test_since_must_be_a_time_that_stripe_remembers(
    backfill: Backfill, since: str, code: int, message: str
) -> None:
    async with running_test_sandbox() as sandbox:
        result = await backfill(sandbox, since=since)
        assert result.returncode == code
        assert message in result.stderr
        assert await sandbox.control("GET", "/requests") == []


async def test_a_key_of_the_other_mode_is_refused(
    connection: Connection, backfill: Backfill
) -> None:
    connection.execute("select wallet.configure_stripe(true, 'ann')")
    async with running_test_sandbox() as sandbox:
        result = await backfill(sandbox)
        assert result.returncode == 1
        assert result.stderr.startswith(
            "Error: The API key is a test one and the wallet takes live"
        )
        assert await sandbox.control("GET", "/requests") == []
        assert KEY not in result.stdout + result.stderr


def test_without_a_key_nothing_is_asked(operator: str, tmp_path: Path) -> None:
    result = wallet(tmp_path, "backfill", "--since", "1h", DATABASE_URL=operator)
    assert (result.returncode, result.stderr) == (2, "Error: STRIPE_SECRET_KEY is not set.\n")


async def test_an_event_that_can_not_be_stored_stops_nothing(
    connection: Connection, backfill: Backfill, tmp_path: Path
) -> None:
    org_id = open_wallet(connection)
    folder = tmp_path / "sandbox"
    async with running_test_sandbox(folder=folder) as sandbox:
        await pay(sandbox, org_id)
    bad = {
        "id": "evt_bad",
        "object": "event",
        "created": int(time.time()),
        "type": "payment_intent.succeeded",
        "livemode": False,
        "data": {"object": {"object": "payment_intent", "description": "\0"}},
    }
    change_sandbox(
        folder,
        "insert into objects (id, kind, body) values ('evt_bad', 'event', ?)",
        json.dumps(bad),
    )
    async with running_test_sandbox(folder=folder) as sandbox:
        result = await backfill(sandbox)
        assert result.returncode == 1
        assert "evt_bad: unsupported Unicode escape sequence\n" in result.stderr
        assert "Error: 1 event failed" in result.stderr
        assert balance(connection, org_id) == 50_00
