"""PostgreSQL servers for the tests, and fresh databases cloned from a migrated template."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from ..database.embedded import STOP_SECONDS, EmbeddedServer, EmbeddedServerError, find_binaries
from ..database.migrate import MigrationError, migrate
from ..database.postmaster import find_postmaster, serves, wait_until
from . import pgtap

# Tested where the system has them; our dependencies bring the others.
OPTIONAL_MAJORS = (15,)

# A test server that crashes is thrown away, so it need not wait for the disk. Whatever commits is a
# test: autovacuum would change plans now and then, and shared_database() counts commits.
OPTIONS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "max_wal_size": "128MB",
}

# Files made where others were just removed, as each new database is, cost ext4 ten times as much.
MEMORY = Path("/dev/shm")  # noqa: S108
MEMORY_BYTES = 2_000_000_000  # all servers together take less than half of it

CHECKS = ("validate_credits_consistency", "verify_ledger")


class DatabaseServer:
    """A running server that makes databases for tests."""

    def __init__(self, embedded: EmbeddedServer) -> None:
        self.embedded = embedded
        self._numbers = count(1)
        self._shared: str | None = None

    @property
    def psql(self) -> Path:
        return self.embedded.binaries / "psql"

    @contextmanager
    def new_database(
        self, *, migrated: bool = True, with_pgtap: bool = False, balanced: bool = True
    ) -> Iterator[str]:
        """The URL of a fresh database, which is dropped afterwards.

        A migrated one must be left with books that balance unless `balanced` is false.
        """
        name = self._create_fresh(migrated=migrated, with_pgtap=with_pgtap)
        try:
            yield self.embedded.url(name)
            if migrated and balanced:
                check_books(self.embedded.url(name))
        finally:
            self._drop(name)

    @contextmanager
    def shared_database(self) -> Iterator[str]:
        """The URL of a migrated database with pgTAP, for a file that rolls back all that it does.

        The next file gets the same one. If this one fails or commits, it gets a fresh one.
        """
        name, self._shared = self._shared or self._create_fresh(with_pgtap=True), None
        url = self.embedded.url(name)
        try:
            sequences = read_sequences(url)
            first = self._next_transaction()
            yield url
            assert not self._has_committed(first), "a file must roll back all that it does"
            reset_sequences(url, sequences)
            self._shared = name
        finally:
            if self._shared is None:
                self._drop(name)

    def close(self) -> None:
        if "_admin" in self.__dict__:
            self._admin.close()

    @cached_property
    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.embedded.url("postgres"), autocommit=True)

    @cached_property
    def _wallet_template(self) -> str:
        return self._make_template("template_wallet", "template1", migrate)

    @cached_property
    def _pgtap_template(self) -> str:
        return self._make_template("template_pgtap", self._wallet_template, pgtap.install)

    def _make_template(self, name: str, template: str, prepare: Callable[[str], object]) -> str:
        self._create(name, template)
        with told_once():
            prepare(self.embedded.url(name))
        return name

    def _create_fresh(self, *, migrated: bool = True, with_pgtap: bool = False) -> str:
        template = "template1"
        if migrated:
            template = self._pgtap_template if with_pgtap else self._wallet_template
        name = f"test_{next(self._numbers)}"
        self._create(name, template)
        if with_pgtap:
            self._run("alter database {} set search_path = {}, public", name, pgtap.SCHEMA)
        return name

    def _next_transaction(self) -> int:
        """The first transaction id that isn't taken yet, in the whole server."""
        query = "select pg_snapshot_xmax(pg_current_snapshot())::text"
        [(transaction,)] = self._admin.execute(query).fetchall()
        return int(transaction)

    def _has_committed(self, first: int) -> bool:
        """Whether anything has been written for good by this transaction or a later one."""
        transactions = self._admin.execute(
            """
            select from generate_series(%s, %s - 1) as id
            where pg_xact_status(id::text::xid8) = 'committed'
            """,
            [first, self._next_transaction()],
        )
        return transactions.rowcount > 0

    def _create(self, name: str, template: str) -> None:
        self._run("create database {} template {}", name, template)

    def _drop(self, name: str) -> None:
        self._run("drop database if exists {} with (force)", name)

    def _run(self, statement: LiteralString, *identifiers: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, identifiers)))


class DatabaseServers:
    """One server per major version of PostgreSQL, started when it is first asked for.

    `base` is how the paths of all their folders begin, those of all workers of a test run.
    """

    def __init__(self, base: Path | None = None) -> None:
        self.base = base or folder_for_servers() / f"pgwallet-test-{secrets.token_hex(4)}"
        self._servers: dict[int, DatabaseServer] = {}
        self._stack = ExitStack()

    def get(self, major: int) -> DatabaseServer:
        """The server of this version; the test is skipped where an optional one isn't installed."""
        if major not in self._servers:
            try:
                binaries = find_binaries(major)
            except EmbeddedServerError as exc:
                if major in OPTIONAL_MAJORS:
                    pytest.skip(str(exc))
                raise
            home = self._stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix=f"{self.base.name}-", dir=self.base.parent, ignore_cleanup_errors=True
                )
            )
            embedded = EmbeddedServer(Path(home), binaries=binaries, options=OPTIONS)
            with told_once():
                self._stack.enter_context(embedded)
            server = self._servers[major] = DatabaseServer(embedded)
            self._stack.callback(server.close)
        return self._servers[major]

    def stop(self) -> None:
        self._servers.clear()
        self._stack.close()

    def clear_remains(self) -> None:
        """End the servers, and remove the folders, of workers that were killed."""
        for home in self.base.parent.glob(f"{self.base.name}-*"):
            _kill_server(home / "data")
            shutil.rmtree(home, ignore_errors=True)


def _kill_server(data: Path) -> None:
    postmaster = find_postmaster(data)
    if postmaster is None:
        return
    with suppress(ProcessLookupError):
        os.kill(postmaster.pid, signal.SIGQUIT)
    wait_until(lambda: not serves(postmaster.pid, data), STOP_SECONDS)


def folder_for_servers() -> Path:
    """Memory where there is plenty of it, or else the system's folder for temporary files."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
        return MEMORY
    return Path(tempfile.gettempdir())


@contextmanager
def told_once() -> Iterator[None]:
    """Without a server, a schema or pgTAP every test would fail alike: the first one ends all."""
    try:
        yield
    except (EmbeddedServerError, MigrationError, pgtap.PgTapMissing) as exc:
        pytest.exit(str(exc), returncode=pytest.ExitCode.TESTS_FAILED)


def read_sequences(url: str) -> set[tuple[Any, ...]]:
    """Of every sequence in a database its name, its first number and the last one given out."""
    query = """
        select format('%I.%I', schemaname, sequencename), start_value, last_value
        from pg_catalog.pg_sequences
    """
    with psycopg.connect(url) as connection:
        return set(connection.execute(query).fetchall())


def reset_sequences(url: str, sequences: set[tuple[Any, ...]]) -> None:
    """Take back the numbers given out since these were read, which no rollback does."""
    moved = sequences - read_sequences(url)
    if not moved:
        return
    with psycopg.connect(url) as connection:
        for name, start, last in moved:
            is_called = last is not None
            arguments = [name, last if is_called else start, is_called]
            connection.execute("select pg_catalog.setval(%s, %s, %s)", arguments)


def check_books(url: str) -> None:
    """Fail unless every invariant holds and every ledger verifies."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        for check in CHECKS:
            query = sql.SQL("select * from wallet.{}()").format(sql.Identifier(check))
            rows = connection.execute(query).fetchall()
            found = "\n".join(f"  {row}" for row in rows)
            assert not rows, f"the books don't balance: wallet.{check}() found\n{found}"
