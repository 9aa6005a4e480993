"""A tenant for one transaction: the role and the claims never outlive it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from ..database.pool import Database
from ..run import ensure_service_role
from .services import locked_wallet, open_wallet, service_url, wait_for_lock
from .tenants import claims_of, customer_of, running_wallet_service

Connection = psycopg.Connection[Any]

WHO = "select json_build_array(current_user, current_setting('request.jwt.claims', true))"
SUMMARY = "select wallet.get_wallet_summary(%s)"
SERVICE = "pgwallet_service"


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@asynccontextmanager
async def one_connection(database: str, *, seconds: float = 10) -> AsyncIterator[Database]:
    """The service's way to the database, with a single connection for all that it does."""
    ensure_service_role(database)
    pool = Database(service_url(database), pool_size=1, timeout=seconds)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


def claims(org_id: UUID) -> str:
    return json.dumps(claims_of(org_id))


async def test_the_tenant_lasts_for_one_transaction(database: str, connection: Connection) -> None:
    org_id = open_wallet(connection, balance_pence=5_00)
    async with one_connection(database) as pool:
        backend = await pool.call("select pg_backend_pid()")
        assert await pool.call_as(claims(org_id), WHO) == ["authenticated", claims(org_id)]
        assert (await pool.call_as(claims(org_id), SUMMARY, org_id))["balance_pence"] == 5_00
        assert await pool.call(WHO) == [SERVICE, ""]
        assert await pool.call("select pg_backend_pid()") == backend


@pytest.mark.parametrize(
    "query",
    [
        "select wallet.get_wallet_summary(null)",
        "select 1 / 0",
        "select wallet.get_health()",
        "select no_such_function()",
    ],
)
async def test_nor_does_it_survive_an_error(
    database: str, connection: Connection, query: Any
) -> None:
    org_id = open_wallet(connection)
    async with one_connection(database) as pool:
        backend = await pool.call("select pg_backend_pid()")
        with pytest.raises(psycopg.Error):
            await pool.call_as(claims(org_id), query)
        assert await pool.call(WHO) == [SERVICE, ""]
        assert await pool.call("select pg_backend_pid()") == backend


@pytest.mark.parametrize("ended_by", ["cancellation", "deadline"])
async def test_nor_a_request_that_is_given_up(
    database: str, connection: Connection, connect: Callable[..., Connection], ended_by: str
) -> None:
    org_id = open_wallet(connection)
    async with one_connection(database, seconds=10 if ended_by == "cancellation" else 0.5) as pool:
        await pool.call(WHO)
        with locked_wallet(connect(), org_id):
            call = asyncio.create_task(
                pool.call_as(claims(org_id), "select wallet.set_own_auto_recharge(true)")
            )
            if ended_by == "cancellation":
                await wait_for_lock(connection)
                call.cancel()
            with pytest.raises((asyncio.CancelledError, TimeoutError)):
                await call
        assert await pool.call(WHO) == [SERVICE, ""]
    [(enabled,)] = connection.execute(
        "select wallet_auto_recharge from wallet.organizations where id = %s", [org_id]
    ).fetchall()
    assert enabled is False


async def test_what_a_tenant_sets_ends_with_the_transaction(
    database: str, connection: Connection
) -> None:
    """Not even claims that were set for the session would be another tenant's."""
    mine, theirs = open_wallet(connection), open_wallet(connection, balance_pence=5_00)
    async with one_connection(database) as pool:
        await pool.call("select set_config('request.jwt.claims', %s, false)", claims(theirs))
        assert (await pool.call_as(claims(mine), SUMMARY, theirs))["success"] is False
        assert (await pool.call_as(claims(mine), SUMMARY, mine))["balance_pence"] == 0


async def test_the_service_itself_is_no_tenant_and_a_tenant_not_the_service(
    database: str, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    async with one_connection(database) as pool:
        for as_service in (SUMMARY, "select wallet.get_own_topup(%s)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await pool.call(as_service, org_id)
        for as_tenant in (
            "select wallet.begin_topup(%s, 2500)",
            "select wallet.add_wallet_credits(%s, 2500, 'bonus')",
            "select wallet.deduct_call_credits(%s, 'c', null, 0, 0, 100)",
            "select wallet.process_stripe_event(json_build_object('id', %s)::jsonb)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await pool.call_as(claims(org_id), as_tenant, org_id)


async def test_tenants_who_share_a_connection_at_once_see_their_own(
    database: str, connection: Connection
) -> None:
    balances = [open_wallet(connection, balance_pence=pence) for pence in range(1, 6)]
    async with running_wallet_service(database, database_pool_size=1) as service:
        answers = await asyncio.gather(
            *(
                customer_of(service, org_id).get("/transactions")
                for _ in range(10)
                for org_id in balances
            )
        )
    for number, answer in enumerate(answers):
        org_id = balances[number % len(balances)]
        assert answer.body["org_id"] == str(org_id)
        [entry] = answer.body["transactions"]
        assert entry["balance_after_pence"] == number % len(balances) + 1


async def test_the_dead_connections_of_a_restart_fail_no_tenant(
    database: str, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=5_00)
    async with one_connection(database) as pool:
        backend = await pool.call("select pg_backend_pid()")
        connection.execute("select pg_terminate_backend(%s, 5000)", [backend])
        assert (await pool.call_as(claims(org_id), SUMMARY, org_id))["balance_pence"] == 5_00


async def test_a_login_that_may_not_become_a_tenant_says_what_to_grant(
    database: str, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    async with running_wallet_service(database) as service:
        connection.execute(f"revoke wallet_gateway from {SERVICE}")
        try:
            with capture_logs() as logs:
                answer = await customer_of(service, org_id).get("/summary")
        finally:
            connection.execute(f"grant wallet_gateway to {SERVICE}")
    assert answer.outcome == "503 database_unavailable"
    [line] = [line for line in logs if line["event"] == "role_is_no_gateway"]
    assert line["role"] == SERVICE
    assert "wallet_gateway" in line["advice"]
    assert str(org_id) not in str(line)


async def test_what_may_take_longer_than_others_may_do_so_for_one_transaction(
    database: str,
) -> None:
    async with one_connection(database) as pool:
        await pool.call("select set_config('statement_timeout', '50ms', false)")
        shown = "select current_setting('statement_timeout')"
        assert await pool.call_within(90, shown) == "90s"
        assert await pool.call_within(0.25, shown) == "250ms"
        assert await pool.call(shown) == "50ms"
        with pytest.raises(psycopg.errors.QueryCanceled):
            await pool.call("select pg_sleep(1)")
        await pool.call_within(5, "select pg_sleep(0.1)")
