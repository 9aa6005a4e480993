"""Workers that die with a customer's card in their hands: one payment intent, one credit.

The workers are processes, ended by SIGKILL. Afterwards another one does the rest.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from .recharges import (
    AMOUNT,
    INTENTS,
    THRESHOLD,
    attempts,
    let_keys_grow_old,
    let_leases_end,
    open_recharging_wallet,
    spend,
    states,
)
from .sandboxes import RunningSandbox, SandboxProcess, connected, running_test_sandbox
from .services import WalletProcess, balance, locked_wallet, topups, wait_for_lock
from .workers import eventually, start_worker

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
StartWorker = Callable[[], WalletProcess]

SPENDERS = 50
# Whichever charge comes first, it leaves the balance below the threshold, and so do the others.
BALANCE = THRESHOLD + 4


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


@pytest.fixture
def worker(database: str, sandbox: RunningSandbox, tmp_path: Path) -> StartWorker:
    """Starts `wallet worker` beside this sandbox."""
    return worker_beside(sandbox.url, database, tmp_path)


def worker_beside(url: str, database: str, folder: Path) -> StartWorker:
    def start() -> WalletProcess:
        own = folder / f"worker-{len(list(folder.iterdir()))}"
        own.mkdir()
        return start_worker(own, database, STRIPE_API_BASE=url)

    return start


def kill(process: WalletProcess) -> None:
    process.process.kill()
    process.process.wait()


async def asked(sandbox: RunningSandbox, times: int = 1) -> list[str]:
    """The idempotency keys with which Stripe was asked to charge, once there are as many."""
    async with asyncio.timeout(30):
        while True:
            requests = await sandbox.requests("POST", INTENTS)
            if len(requests) >= times:
                return [request["idempotency_key"] for request in requests]
            await asyncio.sleep(0.01)


async def let_another_finish(
    start: StartWorker, connection: Connection, org_id: UUID, *, state: str = "succeeded"
) -> None:
    """The lease of the dead worker ends, and another one takes the attempt over."""
    let_leases_end(connection)
    with start():
        await eventually(lambda: states(connection, org_id) == [state])


async def assert_charged_once(
    sandbox: RunningSandbox, connection: Connection, org_id: UUID
) -> None:
    [intent] = await sandbox.objects("payment_intent")
    assert intent["status"] == "succeeded"
    assert topups(connection, org_id) == [(AMOUNT, intent["id"])]
    assert states(connection, org_id) == ["succeeded"]
    [attempt] = attempts(connection, org_id)
    assert set(await asked(sandbox)) == {str(attempt["id"])}


async def test_killed_before_the_call(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    """The attempt is claimed, and Stripe has done nothing yet."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="hang")
    with worker() as process:
        await asked(sandbox)
        kill(process)
    assert states(connection, org_id) == ["calling"]
    assert await sandbox.count("payment_intent") == 0

    await let_another_finish(worker, connection, org_id)
    await assert_charged_once(sandbox, connection, org_id)


async def test_killed_after_stripe_has_committed(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="hang", after_commit=True)
    with worker() as process:
        await asked(sandbox)
        kill(process)
    assert states(connection, org_id) == ["calling"]
    assert await sandbox.count("payment_intent", status="succeeded") == 1
    assert balance(connection, org_id) == 4_00

    await let_another_finish(worker, connection, org_id)
    await assert_charged_once(sandbox, connection, org_id)


async def test_killed_after_stripe_has_committed_and_found_a_day_later(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    """Stripe has forgotten the key by then, so it is only asked what it knows."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="hang", after_commit=True)
    with worker() as process:
        await asked(sandbox)
        kill(process)
    await sandbox.forget_keys()
    let_keys_grow_old(connection)

    await let_another_finish(worker, connection, org_id)
    await assert_charged_once(sandbox, connection, org_id)
    assert len(await asked(sandbox)) == 1


async def test_killed_before_the_call_and_never_charged_a_day_later(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="hang")
    with worker() as process:
        await asked(sandbox)
        kill(process)
    let_keys_grow_old(connection)

    await let_another_finish(worker, connection, org_id, state="unresolved")
    assert await sandbox.count("payment_intent") == 0
    assert len(await asked(sandbox)) == 1


@pytest.mark.parametrize("commits", [False, True], ids=["rolled back", "committed"])
async def test_killed_after_the_answer(
    sandbox: RunningSandbox,
    connection: Connection,
    connect: Connect,
    worker: StartWorker,
    commits: bool,
) -> None:
    """The worker has Stripe's answer, and waits for the wallet's lock to record it.

    What it left behind in the database may still commit without it, or not.
    """
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    with worker() as process, locked_wallet(connect(), org_id):
        recording = await wait_for_lock(connection)
        kill(process)
        assert await sandbox.count("payment_intent", status="succeeded") == 1
        if not commits:
            connection.execute("select pg_terminate_backend(%s, 5000)", [recording])
    await let_another_finish(worker, connection, org_id)
    await assert_charged_once(sandbox, connection, org_id)


async def test_two_workers_alive_past_a_lease(
    sandbox: RunningSandbox, connection: Connection, worker: StartWorker
) -> None:
    """One is still waiting for Stripe when the other is given the same attempt."""
    org_id = await open_recharging_wallet(connection, sandbox)
    await sandbox.fault("POST", INTENTS, delay_seconds=2)
    with worker() as one, worker() as other:
        # Neither has to start, or to wait for its next turn, while Stripe thinks.
        await eventually(lambda: listening(connection) == 2)
        spend(connection, org_id, 6_00)
        await asked(sandbox)
        let_leases_end(connection)
        connection.execute("notify pgwallet_recharge")
        await asked(sandbox, times=2)
        await eventually(lambda: states(connection, org_id) == ["succeeded"])
        recorded = re.compile(r'"event": "recharge_recorded"')
        await eventually(lambda: recorded.search(one.output))
        await eventually(lambda: recorded.search(other.output))
        assert [one.stop(), other.stop()] == [0, 0]
    await assert_charged_once(sandbox, connection, org_id)


def listening(connection: Connection) -> int:
    """How many workers are told at once when there is something to do."""
    [(sessions,)] = connection.execute(
        """
        select count(*) from pg_catalog.pg_stat_activity
         where datname = current_database() and query ilike 'listen %'
        """
    ).fetchall()
    return int(sessions)


async def test_a_worker_that_slept_past_its_lease_wakes_up(
    sandbox: RunningSandbox,
    connection: Connection,
    connect: Connect,
    worker: StartWorker,
) -> None:
    """It records what another one has recorded meanwhile."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    with worker() as sleeper:
        with locked_wallet(connect(), org_id):
            recording = await wait_for_lock(connection)
            let_leases_end(connection)
            with worker() as other:
                await wait_for_lock(connection, other_than=recording)
                await asked(sandbox, times=2)
                kill(other)
        await eventually(lambda: "recharge_recorded" in sleeper.output)
        assert sleeper.stop() == 0
    await assert_charged_once(sandbox, connection, org_id)


async def test_fifty_triggers_at_once(
    sandbox: RunningSandbox, connection: Connection, connect: Connect, worker: StartWorker
) -> None:
    """Fifty sessions fall below the threshold together, with two workers waiting for it."""
    org_id = await open_recharging_wallet(connection, sandbox, balance_pence=BALANCE)
    sessions = [connect() for _ in range(SPENDERS)]
    with worker() as one, worker() as other, ThreadPoolExecutor(SPENDERS) as pool:
        await eventually(lambda: "worker_started" in one.output)
        await eventually(lambda: "worker_started" in other.output)
        with locked_wallet(connect(), org_id):
            charges = [pool.submit(spend, session, org_id, 5) for session in sessions]
            await eventually(lambda: waiting(connection) >= SPENDERS)
        answers = await asyncio.gather(*map(asyncio.wrap_future, charges))
        assert [answer["success"] for answer in answers] == [True] * SPENDERS
        await eventually(lambda: states(connection, org_id) == ["succeeded"])
        spend(connection, org_id, 1)
        assert [one.stop(), other.stop()] == [0, 0]
    await assert_charged_once(sandbox, connection, org_id)
    assert balance(connection, org_id) == BALANCE - 5 * SPENDERS - 1 + AMOUNT


def waiting(connection: Connection) -> int:
    [(sessions,)] = connection.execute(
        """
        select count(*) from pg_catalog.pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'
        """
    ).fetchall()
    return int(sessions)


async def test_stripe_dies_with_the_payment_and_comes_back(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    """A process of its own is killed after it has committed; its data are on its disk."""
    home = tmp_path / "stripe"
    home.mkdir()
    with SandboxProcess(home) as stripe:
        url = await asyncio.to_thread(stripe.wait_for_url)
        start = worker_beside(url, database, tmp_path)
        async with connected(url) as sandbox:
            org_id = await open_recharging_wallet(connection, sandbox)
            await sandbox.fault("POST", INTENTS, answer="hang", after_commit=True)
            spend(connection, org_id, 6_00)
            with start() as process:
                await asked(sandbox)
                assert await sandbox.count("payment_intent", status="succeeded") == 1
                kill(stripe)
                await eventually(lambda: states(connection, org_id) == ["unknown"])
                port = int(url.rpartition(":")[2])
                with SandboxProcess(home, port=port) as stripe:
                    await asyncio.to_thread(stripe.wait_for_url)
                    let_leases_end(connection)
                    await eventually(lambda: states(connection, org_id) == ["succeeded"])
                    assert process.stop() == 0
                    await assert_charged_once(sandbox, connection, org_id)
