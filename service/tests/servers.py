"""PostgreSQL servers for the tests, and fresh databases cloned from a migrated template."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from ..database.embedded import EmbeddedServer, EmbeddedServerError, find_binaries
from ..database.migrate import MigrationError, migrate
from . import pgtap

# Tested where the system has them; our dependencies bring the others.
OPTIONAL_MAJORS = (15,)

# A test server that crashes is thrown away, so it need not wait for the disk.
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}

CHECKS = ("validate_credits_consistency", "verify_ledger")


class DatabaseServer:
    """A running server that makes databases for tests."""

    def __init__(self, embedded: EmbeddedServer) -> None:
        self.embedded = embedded
        self._numbers = count(1)
        self._templates: set[str] = set()

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
        template = "template1"
        if migrated:
            template = self._pgtap_template if with_pgtap else self._wallet_template
        name = f"test_{next(self._numbers)}"
        self._create(name, template)
        try:
            if with_pgtap:
                self._run("alter database {} set search_path = {}, public", name, pgtap.SCHEMA)
            yield self.embedded.url(name)
            if migrated and balanced:
                check_books(self.embedded.url(name))
        finally:
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

    def _create(self, name: str, template: str) -> None:
        self._run("create database {} template {}", name, template)

    def _drop(self, name: str) -> None:
        self._run("drop database if exists {} with (force)", name)

    def _run(self, statement: LiteralString, *identifiers: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, identifiers)))


class DatabaseServers:
    """One server per major version of PostgreSQL, started when it is first asked for."""

    def __init__(self) -> None:
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
                tempfile.TemporaryDirectory(prefix="pgwallet-test-", ignore_cleanup_errors=True)
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


@contextmanager
def told_once() -> Iterator[None]:
    """Without a server, a schema or pgTAP every test would fail alike: the first one ends all."""
    try:
        yield
    except (EmbeddedServerError, MigrationError, pgtap.PgTapMissing) as exc:
        pytest.exit(str(exc), returncode=pytest.ExitCode.TESTS_FAILED)


def check_books(url: str) -> None:
    """Fail unless every invariant holds and every ledger verifies."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        for check in CHECKS:
            query = sql.SQL("select * from wallet.{}()").format(sql.Identifier(check))
            rows = connection.execute(query).fetchall()
            found = "\n".join(f"  {row}" for row in rows)
            assert not rows, f"the books don't balance: wallet.{check}() found\n{found}"
