"""Brings a database to the current schema and functions: all of it, or nothing."""

from __future__ import annotations

import logging
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, LiteralString

import psycopg
from psycopg import Connection, IsolationLevel, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier
from yoyo import default_migration_table, internalmigrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.exceptions import BadMigration
from yoyo.migrations import Migration, MigrationList

from .catalog import find_faults
from .sql_files import CREATED_FUNCTION, MigrationFile, SqlFile, SqlFiles

OLDEST_VERSION = 15
CONNECT_TIMEOUT_SECONDS = 10
# DDL that waits for a lock makes all traffic on its table wait behind it.
LOCK_TIMEOUT_SECONDS = 3
MOST_ATTEMPTS = 5
ADVISORY_LOCK = int.from_bytes(b"pgwallet", "big")

BODY_LINE = re.compile(r"(?:near|inline_code_block) line (\d+)")

# yoyo reports each step; what a run did is in its report.
logging.getLogger("yoyo.migrations").setLevel(logging.WARNING)


class MigrationError(Exception):
    """The database could not be migrated, and is as it was. The message says why."""


class MigrationDeadlocked(MigrationError):
    """Live traffic held what it wanted, and wanted what it held: it may be tried again."""


@dataclass(frozen=True)
class MigrationReport:
    """The migrations that were applied now, the number of functions deployed, and what the
    server warned of meanwhile."""

    applied: tuple[str, ...]
    functions: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class RollbackReport:
    """The migration that was undone; None when there was none left."""

    rolled_back: str | None


def migrate(url: str, *, sql: SqlFiles | None = None) -> MigrationReport:
    """Apply the pending migrations, deploy every function, and check the catalog."""
    files = sql or SqlFiles.find()
    migrations, functions = files.migrations(), files.functions()
    for _ in range(MOST_ATTEMPTS - 1):
        with suppress(MigrationDeadlocked):
            return _migrate(url, migrations, functions)
    return _migrate(url, migrations, functions)


def _migrate(
    url: str, migrations: Sequence[MigrationFile], functions: Sequence[SqlFile]
) -> MigrationReport:
    warnings: list[str] = []
    with _transaction(url) as connection:
        connection.add_notice_handler(partial(_keep_warning, warnings))
        _create_bookkeeping(connection)
        backend = _Backend(connection)
        pending = backend.to_apply(_known(connection, migrations, refuse_edited=True))
        for migration in pending:
            backend.apply_one(migration)
            connection.execute(
                "insert into migration_checksums (migration_id, sha256) values (%s, %s)",
                [migration.file.name, migration.file.sha256],
            )
        _deploy(connection, functions)
        if faults := find_faults(connection, [function.name for function in functions]):
            raise MigrationError("\n".join(["The deployed schema breaks its rules:", *faults]))
    applied = tuple(migration.id for migration in pending)
    return MigrationReport(applied, len(functions), tuple(warnings))


def rollback(url: str, *, sql: SqlFiles | None = None) -> RollbackReport:
    """Undo the last migration; with the first one, everything of ours but the roles is gone."""
    migrations = (sql or SqlFiles.find()).migrations()
    with _transaction(url) as connection:
        if not _has_bookkeeping(connection):
            return RollbackReport(None)
        backend = _Backend(connection)
        applied = backend.to_rollback(_known(connection, migrations, refuse_edited=False))
        if not applied:
            return RollbackReport(None)
        last = applied[0]
        if last.file.rollback is None or not any(last.file.rollback.statements()):
            raise MigrationError(
                f"{last.file.label} can't be undone: its rollback file is missing or empty."
            )
        backend.rollback_one(last)
        connection.execute("delete from migration_checksums where migration_id = %s", [last.id])
        if len(applied) == 1:
            connection.execute("drop schema wallet_migrations cascade")
    return RollbackReport(last.id)


def _keep_warning(warnings: list[str], notice: errors.Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        parts = (notice.message_primary, notice.message_hint)
        warnings.append(". ".join(part for part in parts if part))


@contextmanager
def _transaction(url: str) -> Iterator[Connection[TupleRow]]:
    """One transaction under the lock that no two migrators hold; whatever fails undoes it."""
    try:
        with closing(_connect(url)) as connection:
            version = connection.info.server_version // 10000
            if version < OLDEST_VERSION:
                raise MigrationError(
                    f"pgwallet needs PostgreSQL {OLDEST_VERSION} or newer;"
                    f" this server is PostgreSQL {version}."
                )
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise MigrationError(
                    f"pgwallet needs a database with encoding UTF8; this one has {encoding}."
                )
            _take_lock(connection)
            yield connection
            connection.commit()
    except psycopg.Error as exc:
        raise _failure(exc, _explain(exc)) from exc


def _failure(exc: psycopg.Error, message: str) -> MigrationError:
    deadlocked = isinstance(exc, errors.DeadlockDetected)
    return MigrationDeadlocked(message) if deadlocked else MigrationError(message)


def _connect(url: str) -> Connection[TupleRow]:
    # libpq's messages quote what it took for a host, a port or an option: in a URL that is
    # not well-formed, a piece of the password.
    unreadable = MigrationError(
        "The database URL can't be read: expected postgresql://user:password@host:5432/database,"
        " with %40 for an @ in the password, %2F for a /, %25 for a % and so on."
    )
    scheme, _, rest = url.partition("://")
    authority = rest.partition("?")[0]
    if scheme in ("postgresql", "postgres") and "@" in authority:
        user, _, host = authority.partition("@")
        if "/" in user or "@" in host:
            raise unreadable
    try:
        parameters: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise unreadable from None
    parameters.setdefault("connect_timeout", CONNECT_TIMEOUT_SECONDS)
    parameters.setdefault("application_name", "wallet migrate")
    try:
        connection = psycopg.connect(
            make_conninfo(**parameters), client_encoding="utf8", prepare_threshold=None
        )
    except psycopg.Error as exc:
        raise MigrationError(f"The database can't be reached: {exc}") from None
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    connection.read_only = False
    return connection


def _take_lock(connection: Connection[TupleRow]) -> None:
    settings = {
        "search_path": "wallet_migrations",
        # Waiting for another migrator may take as long as that one takes.
        "lock_timeout": "0",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
    }
    if connection.info.server_version >= 170000:
        settings["transaction_timeout"] = "0"
    connection.execute(
        "select set_config(s.name, s.value, true)"
        " from unnest(%s::text[], %s::text[]) as s (name, value)",
        [list(settings), list(settings.values())],
    )
    # The session of a killed migrator would keep the lock while it waits for another one.
    # (A server on Windows can't watch its clients.)
    with suppress(errors.InvalidParameterValue), connection.transaction():
        connection.execute("set local client_connection_check_interval to '1s'")
    connection.execute("select pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    connection.execute("select set_config('lock_timeout', %s, true)", [f"{LOCK_TIMEOUT_SECONDS}s"])


class _Migration(Migration):  # type: ignore[misc]
    """A migration of yoyo's, whose SQL we run: yoyo would print results and not tell lines."""

    def __init__(self, file: MigrationFile) -> None:
        super().__init__(file.name, str(file.path), str(file.path.parent))
        self.file = file

    def process_steps(self, backend: _Backend, direction: str, force: bool = False) -> None:
        file = self.file if direction == "apply" else self.file.rollback
        if file is not None:
            with _clean_session(backend.connection):
                _execute(backend.connection, file)


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's bookkeeping, on our connection and inside our transaction and lock."""

    def __init__(self, connection: Connection[TupleRow]) -> None:
        self._given_connection = connection
        super().__init__(parse_uri("postgresql+psycopg:"), default_migration_table)

    def connect(self, dburi: object) -> Connection[TupleRow]:
        return self._given_connection

    def copy(self) -> AbstractContextManager[_Backend]:
        return nullcontext(self)

    def transaction(self, rollback_on_exit: bool = False) -> AbstractContextManager[None]:
        return nullcontext()

    def ensure_internal_schema_updated(self) -> None:
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)

    def get_log_data(
        self, migration: Migration | None = None, operation: str = "apply"
    ) -> dict[str, object]:
        # yoyo's own asks the system for names that it may not have, and DNS.
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": self.connection.info.user,
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


def _create_bookkeeping(connection: Connection[TupleRow]) -> None:
    if _has_bookkeeping(connection):
        return
    # `if not exists` would ask for the right to create schemas even where there is one.
    if not _exists(connection, "select to_regnamespace('wallet_migrations')"):
        connection.execute("create schema wallet_migrations")
        connection.execute("comment on schema wallet_migrations is 'What migrate has applied.'")
    connection.execute("""
        create table wallet_migrations.migration_checksums (
            migration_id text not null,
            sha256 text not null,
            constraint migration_checksums_pkey primary key (migration_id)
        )
    """)
    connection.execute("""
        comment on table wallet_migrations.migration_checksums is
        'The content of each migration file when it was applied; yoyo keeps only the names.'
    """)


def _has_bookkeeping(connection: Connection[TupleRow]) -> bool:
    return _exists(connection, "select to_regclass('wallet_migrations.migration_checksums')")


def _exists(connection: Connection[TupleRow], query: LiteralString) -> bool:
    return connection.execute(query).fetchone() != (None,)


def _known(
    connection: Connection[TupleRow], files: Sequence[MigrationFile], *, refuse_edited: bool
) -> MigrationList:
    """The migrations as yoyo's, once they are known to fit those that the database has."""
    rows = connection.execute("select migration_id, sha256 from migration_checksums").fetchall()
    checksums: dict[str, str] = dict(rows)
    if unknown := checksums.keys() - {file.name for file in files}:
        raise MigrationError(
            "This database was migrated by a newer pgwallet: this one doesn't know"
            f" {', '.join(sorted(unknown))}. Update pgwallet."
        )
    for file in files:
        if refuse_edited and checksums.get(file.name, file.sha256) != file.sha256:
            raise MigrationError(
                f"{file.label} was changed after it was applied to this database:"
                " put it back as it was, and make the change in a new migration."
            )
    migrations = [_Migration(file) for file in files]
    try:
        for migration in migrations:
            migration.load()
            if not migration.use_transactions:
                raise MigrationError(
                    f"{migration.file.label} asks to run outside a transaction:"
                    " all migrations run in one."
                )
    except BadMigration as exc:
        raise MigrationError(str(exc)) from exc
    return MigrationList(migrations)


@contextmanager
def _clean_session(connection: Connection[TupleRow], role: str | None = None) -> Iterator[None]:
    """Files see no search_path but their own, and what they set or become ends with them."""
    connection.execute("set local search_path to ''")
    if role is not None:
        connection.execute(SQL("set local role {}").format(Identifier(role)))
    yield
    connection.execute("reset role")
    connection.execute("set local search_path to wallet_migrations")


def _deploy(connection: Connection[TupleRow], functions: Sequence[SqlFile]) -> None:
    if not functions:
        return
    with _clean_session(connection, role="wallet_owner"):
        # They may name each other in any order, so their bodies are looked at afterwards.
        connection.execute("set local check_function_bodies to off")
        try:
            # In one go, since migrations may have locked tables by now.
            with connection.transaction():
                connection.execute("\n;\n".join(file.text for file in functions).encode())
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            raise
        except psycopg.Error:
            if connection.closed:
                raise
            for file in functions:
                _execute(connection, file)
        connection.execute("set local check_function_bodies to on")
        _validate_bodies(connection, functions)


def _validate_bodies(connection: Connection[TupleRow], functions: Sequence[SqlFile]) -> None:
    validators = connection.execute("""
        select proname, lanvalidator::regproc || '(' || pg_proc.oid || ')'
          from pg_proc
          join pg_language on pg_language.oid = prolang
         where pronamespace = to_regnamespace('wallet') and lanvalidator <> 0
    """).fetchall()
    calls = {name: f"select {call};".encode() for name, call in validators}
    try:
        with connection.transaction():
            connection.execute(b"".join(calls.values()))
    except psycopg.Error:
        if connection.closed:
            raise
        faults = []
        for file in functions:
            try:
                with connection.transaction():
                    connection.execute(calls.get(file.name, b""))
            except psycopg.Error as exc:
                created = CREATED_FUNCTION.search(file.text)
                faults.append(_explain_in(file, created.start() if created else 0, exc))
        if faults:
            raise MigrationError("\n".join(faults)) from None


def _execute(connection: Connection[TupleRow], file: SqlFile) -> None:
    for statement in file.statements():
        try:
            connection.execute(statement.text.encode())
        except psycopg.Error as exc:
            raise _failure(exc, _explain_in(file, statement.start, exc)) from exc


def _explain_in(file: SqlFile, start: int, exc: psycopg.Error) -> str:
    """The error with its line; `start` is where the failed statement begins."""
    diag = exc.diag
    offset = start
    if diag.internal_query and (found := file.text.find(diag.internal_query, start)) >= 0:
        offset = found + int(diag.internal_position or 1) - 1
    elif diag.statement_position:
        offset = start + int(diag.statement_position) - 1
    line = file.line(offset)
    if offset == start and (match := BODY_LINE.search(diag.context or "")):
        # Counted from the $$ of the body.
        line = file.line(max(file.text.find("$", start), start)) + int(match[1]) - 1
    return f"{file.label}, line {line}: {_explain(exc)}"


def _explain(exc: psycopg.Error) -> str:
    message = exc.diag.message_primary or str(exc)
    for more in (exc.diag.message_detail, exc.diag.message_hint):
        if more:
            message += f"\n{more}"
    if isinstance(exc, errors.LockNotAvailable):
        message += (
            f"\nOther transactions have held the table for {LOCK_TIMEOUT_SECONDS} seconds."
            " Nothing was changed. Migrate again when they have ended; this lists them:"
            "\nselect pid, xact_start, state, query from pg_stat_activity order by xact_start"
        )
    return message
