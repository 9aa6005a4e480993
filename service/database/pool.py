"""The service's way to the database: a pool, a deadline, one function a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, LiteralString

import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

log = structlog.get_logger()

# A server that is up answers far sooner; one that is stuck never does.
CONNECT_TIMEOUT_SECONDS = 5

# For the transaction alone, whatever becomes of it: the next one may be another tenant's.
BECOME_TENANT: LiteralString = """
    select set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true)
"""

FIND_TABLE_PRIVILEGES = """
    select current_user::text, array_agg(c.relname::text order by c.relname)
      from pg_catalog.pg_class as c
     where c.relnamespace = to_regnamespace('wallet')
       and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and (has_any_column_privilege(c.oid, 'select, insert, update')
            or has_table_privilege(c.oid, 'delete, truncate'))
"""

Work = Callable[[AsyncConnection[TupleRow]], Awaitable[Any]]


class Database:
    """A pool of autocommitting connections: one function call is one transaction.

    It opens whether or not the server is there, and finds its way back by itself.
    """

    def __init__(self, conninfo: str, *, pool_size: int, timeout: float) -> None:
        self._timeout = timeout
        self._calls: set[asyncio.Task[Any]] = set()
        self._privileges_checked = False
        self._pool: AsyncConnectionPool[AsyncConnection[TupleRow]]
        self._pool = AsyncConnectionPool(
            conninfo,
            min_size=min(2, pool_size),
            max_size=pool_size,
            open=False,
            configure=self._check_privileges_once,
            timeout=timeout,
            # Given up after this long, so that the next call connects at once
            # instead of waiting out a back-off that has grown to minutes.
            reconnect_timeout=timeout,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                # In its transaction mode PgBouncer loses prepared statements.
                "prepare_threshold": None,
                "application_name": "pgwallet",
                "client_encoding": "utf8",
            },
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def call(self, query: LiteralString, *args: Any, seconds: float | None = None) -> Any:
        """Run `select wallet.some_function(...)` and return its answer.

        Raises TimeoutError at the deadline even when the server doesn't react to
        the cancel request, which is why the call is a task that can be left behind.
        The function must be safe to call twice.
        """
        return await self._run(partial(_fetch_value, query=query, args=args), seconds)

    async def call_as(self, claims: str, query: LiteralString, *args: Any) -> Any:
        """As `call`, but as the tenant whom these verified claims of a token name."""
        return await self._run(partial(_fetch_value_as, claims=claims, query=query, args=args))

    async def call_within(self, seconds: float, query: LiteralString, *args: Any) -> Any:
        """As `call`, for what may take longer than the login's statement_timeout."""
        work = partial(_fetch_value_within, seconds=seconds, query=query, args=args)
        return await self._run(work, seconds)

    async def _run(self, work: Work, seconds: float | None = None) -> Any:
        call = asyncio.create_task(self._run_connected(work))
        self._calls.add(call)
        call.add_done_callback(self._forget)
        try:
            await asyncio.wait({call}, timeout=seconds or self._timeout)
            if not call.done():
                raise TimeoutError
            return call.result()
        finally:
            call.cancel()

    def _forget(self, call: asyncio.Task[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # seen, so that asyncio doesn't report it for a call left behind

    async def _run_connected(self, work: Work) -> Any:
        async with self._pool.connection() as connection:
            try:
                return await work(connection)
            except OperationalError:
                if not connection.broken:
                    raise
        # A restart of the server leaves dead connections in the pool.
        await self._pool.check()
        async with self._pool.connection() as connection:
            return await work(connection)

    async def _check_privileges_once(self, connection: AsyncConnection[TupleRow]) -> None:
        if self._privileges_checked:
            return
        self._privileges_checked = True
        cursor = await connection.execute(FIND_TABLE_PRIVILEGES)
        [(role, tables)] = await cursor.fetchall()
        if tables:
            log.warning(
                "role_holds_table_privileges",
                role=role,
                tables=tables,
                advice="connect as a member of wallet_webhook and wallet_gateway,"
                " or of wallet_worker, and of no other role",
            )


async def _fetch_value(
    connection: AsyncConnection[TupleRow], query: LiteralString, args: tuple[Any, ...]
) -> Any:
    cursor = await connection.execute(query, args)
    [(value,)] = await cursor.fetchall()
    return value


async def _fetch_value_as(
    connection: AsyncConnection[TupleRow],
    claims: str,
    query: LiteralString,
    args: tuple[Any, ...],
) -> Any:
    async with connection.transaction():
        try:
            await connection.execute(BECOME_TENANT, [claims])
        except InsufficientPrivilege:
            log.error(
                "role_is_no_gateway",
                role=connection.info.user,
                advice="grant wallet_gateway to it, and authenticated to wallet_gateway",
            )
            raise
        return await _fetch_value(connection, query, args)


async def _fetch_value_within(
    connection: AsyncConnection[TupleRow],
    seconds: float,
    query: LiteralString,
    args: tuple[Any, ...],
) -> Any:
    async with connection.transaction():
        await connection.execute(
            "select set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"]
        )
        return await _fetch_value(connection, query, args)
