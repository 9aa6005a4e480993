"""Migrations against real servers: all or nothing, whoever else is there and whatever dies."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from ..database import migrate as module
from ..database import sql_files
from ..database.embedded import EmbeddedServer, EmbeddedServerError, find_binaries
from ..database.migrate import MigrationError, migrate, rollback
from ..database.sql_files import SqlFiles, SqlFilesError
from .conftest import MAJORS
from .servers import OPTIONS, DatabaseServer

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCT = SqlFiles(REPOSITORY / "db")

THINGS = """\
set local role wallet_owner;

create table wallet.things (
    org_id uuid not null,
    name text not null,
    constraint things_pkey primary key (org_id, name)
);
alter table wallet.things enable row level security;
comment on table wallet.things is 'Things; of no use.';
reset role;
"""


def function(name: str, body: str, *, language: str = "sql", returns: str = "integer") -> str:
    return f"""\
-- A function; for tests.
create or replace function wallet.{name}()
returns {returns}
language {language}
set search_path = pg_catalog, pg_temp
as $$
{body}
$$;

revoke all on function wallet.{name}() from public;
grant execute on function wallet.{name}() to service_role;
comment on function wallet.{name}() is 'Of no use.';
"""


class Tree:
    """A small `db/` to write into: the product's first migration, a table, two functions."""

    def __init__(self, root: Path) -> None:
        self.files = SqlFiles(root)
        (root / "migrations").mkdir(parents=True)
        for suffix in (".sql", ".rollback.sql"):
            name = f"0001_create_roles_and_schema{suffix}"
            shutil.copy(PRODUCT.root / "migrations" / name, root / "migrations")
        self.migration("0002_create_things", THINGS, "drop table wallet.things cascade;")
        # By name the first comes before the one that it calls.
        self.function("a_first", "select wallet.b_second() + 1")
        self.function("b_second", "begin return 41; end", language="plpgsql")

    def write(self, path: str, text: str) -> None:
        file = self.files.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def migration(self, name: str, text: str, undo: str | None = "select 1;") -> None:
        self.write(f"migrations/{name}.sql", text)
        if undo is not None:
            self.write(f"migrations/{name}.rollback.sql", undo)

    def function(self, name: str, body: str, *, language: str = "sql") -> None:
        self.write(f"functions/area/{name}.sql", function(name, body, language=language))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "db")


@pytest.fixture
def dump(server: DatabaseServer, empty_database: str) -> Callable[..., str]:
    """pg_dump of the test's database."""

    def run(*options: str) -> str:
        pg_dump = str(server.embedded.binaries / "pg_dump")
        result = subprocess.run(
            [pg_dump, *options, empty_database], check=True, capture_output=True, text=True
        )
        # Newer pg_dumps put a random key into two lines.
        return "\n".join(line for line in result.stdout.splitlines() if not line.startswith("\\"))

    return run


@contextmanager
def migrator(url: str, root: Path, action: str = "migrate") -> Iterator[subprocess.Popen[str]]:
    """Another process that migrates or rolls back."""
    code = f"""
import pathlib, sys
from {module.__name__} import {action}
from {sql_files.__name__} import SqlFiles
print({action}(sys.argv[1], sql=SqlFiles(pathlib.Path(sys.argv[2]))))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, str(root)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate(timeout=60)


def fetch(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def waits_for_lock(url: str) -> bool:
    return bool(
        fetch(
            url,
            """
            select from pg_stat_activity
            where application_name = 'wallet migrate' and wait_event_type = 'Lock'
            and datname = current_database()
            """,
        )
    )


# --- The whole way, with the product's own files ---


@pytest.mark.each_server
def test_a_second_run_changes_nothing(empty_database: str, dump: Callable[..., str]) -> None:
    first = migrate(empty_database)
    assert first.applied == tuple(file.name for file in PRODUCT.migrations())
    assert first.functions == len(PRODUCT.functions())
    after_first = dump()
    assert "create" in after_first.lower()

    second = migrate(empty_database)
    assert second.applied == ()
    assert second.functions == first.functions
    assert dump() == after_first


@pytest.mark.each_server
def test_down_to_nothing_and_up_again(empty_database: str, dump: Callable[..., str]) -> None:
    before = dump()
    applied = migrate(empty_database).applied
    migrated = dump("--schema-only")

    for name in reversed(applied):
        assert rollback(empty_database).rolled_back == name
    assert dump() == before
    assert rollback(empty_database).rolled_back is None
    assert dump() == before

    assert migrate(empty_database).applied == applied
    assert dump("--schema-only") == migrated


def test_every_step_down_leads_up_again(empty_database: str, dump: Callable[..., str]) -> None:
    applied = migrate(empty_database).applied
    migrated = dump("--schema-only")
    for steps in range(1, len(applied)):
        for _ in range(steps):
            rollback(empty_database)
        assert migrate(empty_database).applied == applied[-steps:]
        assert dump("--schema-only") == migrated


@pytest.fixture(params=MAJORS)
def managed_server(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[EmbeddedServer, str]]:
    """A server like Supabase's, and the URL of the database that its non-superuser owns."""
    try:
        binaries = find_binaries(request.param)
    except EmbeddedServerError:
        pytest.skip(f"PostgreSQL {request.param} is not installed")
    with EmbeddedServer(tmp_path, binaries=binaries, options=OPTIONS) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("create role manager login createrole createdb bypassrls")
            for role in ("anon", "authenticated", "service_role"):
                connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
            connection.execute("grant anon, authenticated, service_role to manager")
            connection.execute("create database managed owner manager")
        yield server, server.url("managed", user="manager")


def test_a_database_owner_who_is_no_superuser_can_migrate(
    managed_server: tuple[EmbeddedServer, str],
) -> None:
    server, url = managed_server
    applied = migrate(url).applied
    assert migrate(url).applied == ()
    for name in reversed(applied):
        assert rollback(url).rolled_back == name
    assert migrate(url).applied == applied
    # The roles are there by now, and so is the right to act as their owner.
    with psycopg.connect(server.url("postgres", user="manager"), autocommit=True) as connection:
        connection.execute("create database second")
    assert migrate(server.url("second", user="manager")).applied == applied


def test_a_stranger_to_the_owner_role_is_told_so(
    managed_server: tuple[EmbeddedServer, str],
) -> None:
    server, url = managed_server
    migrate(url)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create role stranger login")
        connection.execute("create database strange owner stranger")
    message = (
        r"^db/migrations/0001_.*, line \d+: (permission denied to grant|must have admin option)"
    )
    with pytest.raises(MigrationError, match=message):
        migrate(server.url("strange", user="stranger"))


# --- All or nothing ---


@pytest.mark.parametrize(
    ("language", "body", "line", "message"),
    [
        ("plpgsql", "begin\n    return 1;\n    retrun 2;\nend", 9, "syntax error"),
        ("plpgsql", "begin\n    return v_unknown +;\nend", 8, "syntax error"),
        ("plpgsql", "begin\n\n    return;\nend", 9, "missing expression"),
        ("sql", "select 1;\nselect nmae from wallet.things", 8, '"nmae" does not exist'),
        ("sql", "select\n\n    1 +", 10, "syntax error at end of input"),
        ("sql", "select wallet.no_such_function()", 7, "does not exist"),
        ("sql", "select 'text'", 2, "return type mismatch"),
        ("klingon", "nuqneH", 2, 'language "klingon" does not exist'),
    ],
)
def test_a_broken_function_is_named_with_its_line_and_changes_nothing(
    language: str,
    body: str,
    line: int,
    message: str,
    tree: Tree,
    empty_database: str,
    dump: Callable[..., str],
) -> None:
    migrate(empty_database, sql=tree.files)
    before = dump()
    tree.function("a_first", "select 43")
    tree.function("c_broken", body, language=language)
    tree.migration("0003_fine", "create table wallet.fine (id int);")
    with pytest.raises(MigrationError, match=message) as caught:
        migrate(empty_database, sql=tree.files)
    assert str(caught.value).startswith(f"db/functions/area/c_broken.sql, line {line}: ")
    assert dump() == before


@pytest.mark.each_server
def test_all_broken_bodies_are_told_at_once(tree: Tree, empty_database: str) -> None:
    tree.function("a_first", "select nmae")
    tree.function("b_second", "retrun", language="plpgsql")
    with pytest.raises(MigrationError) as caught:
        migrate(empty_database, sql=tree.files)
    assert "db/functions/area/a_first.sql, line 7: " in str(caught.value)
    assert "db/functions/area/b_second.sql, line 7: " in str(caught.value)


def test_a_grant_to_nobody_is_found_at_its_line(tree: Tree, empty_database: str) -> None:
    text = function("c_broken", "select 1").replace("to service_role", "to no_such_role")
    tree.write("functions/area/c_broken.sql", text)
    with pytest.raises(MigrationError, match=r"c_broken.sql, line 11: .*no_such_role"):
        migrate(empty_database, sql=tree.files)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("select 1;\n\n-- hm\nselect nmae\n  from wallet.things;", 4, '"nmae" does not exist'),
        ("create table wallet.u (id int);\n/* ; */\n\ncreate table wallet.u (i int);", 4, "exists"),
        ("do $$\nbegin\n\n    perform 1 / 0;\nend\n$$;", 4, "division by zero"),
        ("select 1;\ndo $a$\nbegin\n    execute 'select nmae';\nend $a$;", 4, "nmae"),
        ("select $$;\n;$$;\nselect 1,,\n  2;", 3, "syntax error"),
    ],
)
def test_a_broken_migration_is_named_with_its_line_and_changes_nothing(
    text: str, line: int, message: str, tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    migrate(empty_database, sql=tree.files)
    before = dump()
    tree.migration("0003_fine", "create table wallet.fine (id int);")
    tree.migration("0004_broken", text)
    with pytest.raises(MigrationError, match=message) as caught:
        migrate(empty_database, sql=tree.files)
    assert str(caught.value).startswith(f"db/migrations/0004_broken.sql, line {line}: ")
    assert dump() == before


def test_a_failure_in_an_empty_database_leaves_it_empty(
    tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    before = dump()
    tree.function("c_broken", "select nmae")
    with pytest.raises(MigrationError):
        migrate(empty_database, sql=tree.files)
    assert dump() == before


def test_a_broken_rollback_changes_nothing(
    tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    tree.migration("0003_fine", "select 1;", "drop table wallet.things cascade;\nselect nmae;")
    migrate(empty_database, sql=tree.files)
    before = dump()
    with pytest.raises(MigrationError, match=r"^db/migrations/0003_fine.rollback.sql, line 2: "):
        rollback(empty_database, sql=tree.files)
    assert dump() == before


def test_what_a_file_sets_or_becomes_ends_with_it(tree: Tree, empty_database: str) -> None:
    tree.migration(
        "0003_leaky", "set local role wallet_owner; set local search_path = wallet, public;"
    )
    tree.migration(
        "0004_check",
        """
        do $$
        begin
            if current_user = 'wallet_owner' or current_setting('search_path') <> '""' then
                raise exception 'it leaked';
            end if;
        end $$;
        """,
    )
    assert "0004_check" in migrate(empty_database, sql=tree.files).applied


# --- Many at once, and the dead ---


def test_twenty_migrators_at_once_end_in_one_schema(
    empty_database: str, dump: Callable[..., str]
) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(migrator(empty_database, PRODUCT.root)) for _ in range(20)]
        results = [process.communicate(timeout=120) for process in processes]
    assert [errors for _, errors in results] == [""] * 20
    migrations = [file.name for file in PRODUCT.migrations()]
    worked = [output for output, _ in results if "applied=()" not in output]
    assert len(worked) == 1
    assert all(name in worked[0] for name in migrations)
    log = fetch(empty_database, "select migration_id from wallet_migrations._yoyo_log order by 1")
    assert log == [(name,) for name in migrations]

    together = dump("--schema-only")
    for _ in migrations:
        rollback(empty_database)
    migrate(empty_database)
    assert dump("--schema-only") == together


def test_two_rollbacks_at_once_undo_two_migrations(tree: Tree, empty_database: str) -> None:
    tree.migration("0003_fine", "select 1;")
    migrate(empty_database, sql=tree.files)
    root = tree.files.root
    with (
        migrator(empty_database, root, "rollback") as one,
        migrator(empty_database, root, "rollback") as two,
    ):
        output = one.communicate(timeout=60)[0] + two.communicate(timeout=60)[0]
    assert "0003_fine" in output
    assert "0002_create_things" in output


@pytest.mark.each_server
def test_a_migrator_killed_while_it_waits_for_a_table_blocks_nobody(
    tree: Tree, empty_database: str
) -> None:
    migrate(empty_database, sql=tree.files)
    tree.migration("0003_alter", "alter table wallet.things add column size bigint;")
    with psycopg.connect(empty_database) as blocker:
        blocker.execute("select from wallet.things")
        with migrator(empty_database, tree.files.root) as killed:
            wait_for(lambda: waits_for_lock(empty_database))
            killed.kill()
            killed.wait()
    assert migrate(empty_database, sql=tree.files).applied == ("0003_alter",)


def test_a_migrator_killed_in_the_middle_of_its_work_blocks_nobody(
    tree: Tree, empty_database: str
) -> None:
    tree.migration("0003_endless", "select pg_catalog.pg_sleep(600);")
    with migrator(empty_database, tree.files.root) as killed:
        asleep = "select from pg_stat_activity where wait_event = 'PgSleep'"
        wait_for(lambda: fetch(empty_database, asleep))
        killed.kill()
        killed.wait()
    tree.migration("0003_endless", "select 1;")
    started = time.monotonic()
    assert len(migrate(empty_database, sql=tree.files).applied) == 3
    assert time.monotonic() - started < 30


@pytest.mark.each_server
def test_a_locked_table_is_waited_for_briefly_and_the_error_says_what_to_do(
    tree: Tree, empty_database: str, dump: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT_SECONDS", 1)
    migrate(empty_database, sql=tree.files)
    before = dump()
    tree.migration("0003_alter", "\nalter table wallet.things add column size bigint;")
    with psycopg.connect(empty_database) as blocker:
        blocker.execute("select from wallet.things")
        with pytest.raises(MigrationError, match=r"line 2: .*lock timeout") as caught:
            migrate(empty_database, sql=tree.files)
    assert "Migrate again" in str(caught.value)
    assert "pg_stat_activity" in str(caught.value)
    assert dump() == before


def test_a_deadlock_with_live_traffic_is_tried_again(tree: Tree, empty_database: str) -> None:
    migrate(empty_database, sql=tree.files)
    tree.migration("0003_lock", "lock table wallet.things; lock table public.live;")
    with psycopg.connect(empty_database) as live:
        live.execute("create table public.live ()")
        live.commit()
        live.execute("set local deadlock_timeout = '60s'")  # so that it isn't the one to give in
        live.execute("lock table public.live")
        with migrator(empty_database, tree.files.root) as process:
            wait_for(lambda: waits_for_lock(empty_database))
            live.execute("lock table wallet.things")
            live.commit()
            output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert "0003_lock" in output


def test_waiting_for_another_migrator_outlasts_the_roles_own_timeouts(
    tree: Tree, empty_database: str
) -> None:
    hasty = "-c lock_timeout=50 -c statement_timeout=50 -c idle_in_transaction_session_timeout=50"
    with psycopg.connect(empty_database) as other:
        other.execute("select pg_advisory_xact_lock(%s)", [module.ADVISORY_LOCK])
        url = f"{empty_database}&options={quote(hasty)}"
        with migrator(url, tree.files.root) as process:
            wait_for(lambda: waits_for_lock(empty_database))
            time.sleep(0.3)
            other.commit()
            output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert "0002_create_things" in output


def test_a_role_that_is_read_only_by_default_can_migrate(tree: Tree, empty_database: str) -> None:
    options = quote(
        "-c default_transaction_read_only=on -c default_transaction_isolation=serializable"
    )
    assert migrate(f"{empty_database}&options={options}", sql=tree.files).applied


def test_a_lost_connection_is_told_as_one(
    tree: Tree, empty_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    tree.migration("0003_endless", "select pg_catalog.pg_sleep(600);")
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(empty_database, sql=tree.files)
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    terminate = """
        select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'
    """
    wait_for(lambda: fetch(empty_database, terminate))
    thread.join(timeout=20)
    assert [type(failure) for failure in failures] == [MigrationError]
    assert "terminating connection" in str(failures[0])
    assert caplog.records == []


# --- What is refused ---


@pytest.mark.parametrize("undo", [None, "", "-- Not yet.\n"])
def test_a_rollback_without_statements_is_refused(
    undo: str | None, tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    tree.migration("0003_one_way", "select 1;", undo)
    migrate(empty_database, sql=tree.files)
    before = dump()
    with pytest.raises(
        MigrationError, match=r"0003_one_way.sql can't be undone: its rollback file"
    ):
        rollback(empty_database, sql=tree.files)
    assert dump() == before


def test_a_migration_edited_after_it_was_applied_is_refused(
    tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    migrate(empty_database, sql=tree.files)
    before = dump()
    tree.migration("0002_create_things", THINGS.replace("Things;", "Other things;"))
    with pytest.raises(MigrationError, match=r"^db/migrations/0002_create_things.sql was changed"):
        migrate(empty_database, sql=tree.files)
    assert dump() == before

    # Line ends that git changed are no edit.
    path = tree.files.root / "migrations" / "0002_create_things.sql"
    path.write_bytes(THINGS.replace("\n", "\r\n").encode())
    assert migrate(empty_database, sql=tree.files).applied == ()


def test_an_edited_migration_can_be_undone_and_applied_anew(
    tree: Tree, empty_database: str
) -> None:
    migrate(empty_database, sql=tree.files)
    edited = THINGS.replace("Things;", "Other things;")
    tree.migration("0002_create_things", edited, "drop table wallet.things cascade;")
    assert rollback(empty_database, sql=tree.files).rolled_back == "0002_create_things"
    assert migrate(empty_database, sql=tree.files).applied == ("0002_create_things",)


@pytest.mark.parametrize("action", [migrate, rollback])
def test_a_database_of_a_newer_version_is_refused(
    action: Callable[..., object], tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    tree.migration("0003_of_the_future", "select 1;")
    migrate(empty_database, sql=tree.files)
    before = dump()
    for path in (tree.files.root / "migrations").glob("0003*"):
        path.unlink()
    with pytest.raises(MigrationError, match=r"newer pgwallet: .* 0003_of_the_future"):
        action(empty_database, sql=tree.files)
    assert dump() == before


def test_rolling_back_what_was_never_migrated_does_nothing(
    empty_database: str, dump: Callable[..., str]
) -> None:
    before = dump()
    assert rollback(empty_database).rolled_back is None
    assert dump() == before


def test_an_old_server_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OLDEST_VERSION", 19)
    with pytest.raises(
        MigrationError, match="PostgreSQL 19 or newer; this server is PostgreSQL 18"
    ):
        migrate(empty_database)


def test_a_database_that_is_not_utf8_is_refused(server: DatabaseServer) -> None:
    url = server.embedded.url("not_utf8")
    with psycopg.connect(server.embedded.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "create database not_utf8 encoding 'SQL_ASCII' locale_provider libc template template0"
        )
        try:
            with pytest.raises(MigrationError, match="encoding UTF8; this one has SQL_ASCII"):
                migrate(url)
        finally:
            connection.execute("drop database not_utf8")


@pytest.mark.each_server
@pytest.mark.usefixtures("database")  # which has made all roles of the cluster
def test_a_schema_that_breaks_the_rules_is_refused_with_all_its_faults(
    tree: Tree, empty_database: str, dump: Callable[..., str]
) -> None:
    before = dump()
    tree.migration(
        "0003_faults",
        """
        create table wallet.stray (
            org_id uuid not null, id int unique, size int, other int references wallet.stray (id)
        );
        alter table wallet.stray
            add check (size > 0), add check (size > 1), add check (size > other),
            add constraint positive check (id > 0);
        create table wallet.organizations (id int, name text);
        create unique index organizations_name_idx on wallet.organizations (name);
        create sequence wallet.stray_numbers;
        create type wallet.colour as enum ('red');
        create function wallet.unfiled() returns int language sql as 'select 1';
        grant select (size) on wallet.stray to anon;
        grant delete on wallet.stray to public;
        grant usage on sequence wallet.stray_numbers to wallet_webhook;
        """,
    )
    tree.write(
        "functions/area/a_first.sql",
        "create function wallet.a_first() returns int language sql as 'select 1';\n"
        "alter function wallet.a_first() rename to renamed;",
    )
    with pytest.raises(MigrationError) as caught:
        migrate(empty_database, sql=tree.files)
    title, *faults = str(caught.value).splitlines()
    assert title == "The deployed schema breaks its rules:"
    assert faults == [
        "constraint positive of wallet.stray must be named stray_<column>_<kind>",
        "constraint stray_check of wallet.stray must be named stray_<column>_<kind>",
        "constraint stray_size_check1 of wallet.stray must be named stray_<column>_<kind>",
        "unique index wallet.stray_id_key of wallet.stray must contain org_id",
        "wallet.a_first has a file in db/functions but is not in the database",
        "wallet.colour must be owned by wallet_owner, not by postgres",
        "wallet.organizations has no comment",
        "wallet.organizations must be owned by wallet_owner, not by postgres",
        "wallet.organizations must have row level security enabled",
        "wallet.renamed() has no comment",
        "wallet.renamed() has no file in db/functions: drop it in a migration",
        "wallet.renamed() must pin its search_path: set search_path = pg_catalog, pg_temp",
        "wallet.stray has no comment",
        "wallet.stray may be used by anon, who must not hold any table privilege",
        "wallet.stray may be used by wallet_gateway, who must not hold any table privilege",
        "wallet.stray may be used by wallet_webhook, who must not hold any table privilege",
        "wallet.stray may be used by wallet_worker, who must not hold any table privilege",
        "wallet.stray must be owned by wallet_owner, not by postgres",
        "wallet.stray must have row level security enabled",
        "wallet.stray_numbers may be used by wallet_webhook, who must not hold any table privilege",
        "wallet.stray_numbers must be owned by wallet_owner, not by postgres",
        "wallet.unfiled() has no comment",
        "wallet.unfiled() has no file in db/functions: drop it in a migration",
        "wallet.unfiled() may be executed by everybody: revoke all on function … from public",
        "wallet.unfiled() must be owned by wallet_owner, not by postgres",
        "wallet.unfiled() must pin its search_path: set search_path = pg_catalog, pg_temp",
    ]
    assert dump() == before


def test_the_organizations_key_is_the_organizations_id(tree: Tree, empty_database: str) -> None:
    tree.migration(
        "0003_create_organizations",
        """
        set local role wallet_owner;
        create table wallet.organizations (
            id int not null, name text,
            constraint organizations_pkey primary key (id),
            constraint organizations_name_key unique (name)
        );
        alter table wallet.organizations enable row level security;
        comment on table wallet.organizations is 'Of no use.';
        """,
    )
    with pytest.raises(MigrationError) as caught:
        migrate(empty_database, sql=tree.files)
    assert str(caught.value).splitlines()[1:] == [
        "unique index wallet.organizations_name_key of wallet.organizations must contain id"
    ]


@pytest.mark.each_server
def test_a_changed_signature_must_drop_the_old_one(tree: Tree, empty_database: str) -> None:
    migrate(empty_database, sql=tree.files)
    changed = function("b_second", "select 1").replace("b_second()", "b_second(int)")
    changed = changed.replace("b_second(int)", "b_second(p_size int = 1)", 1)
    tree.write("functions/area/b_second.sql", changed)
    tree.function("a_first", "select 1")
    with pytest.raises(
        MigrationError, match=r"wallet.b_second has overloads: .*\(\), .*\(integer\)"
    ):
        migrate(empty_database, sql=tree.files)

    tree.write(
        "functions/area/b_second.sql", "drop function if exists wallet.b_second();\n" + changed
    )
    migrate(empty_database, sql=tree.files)
    assert fetch(empty_database, "select wallet.b_second(5)") == [(1,)]


# --- The way to the database ---


def test_other_ways_to_name_a_database_work(tree: Tree, empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        info = connection.info
        parts = f"host={info.host} port={info.port} dbname={info.dbname} user={info.user}"
    assert migrate(parts, sql=tree.files).applied
    assert migrate(empty_database.replace("postgresql:", "postgres:"), sql=tree.files).applied == ()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hun@ter2@127.0.0.1:1/d",
        "postgresql://u:hun/ter2@127.0.0.1:1/d",
        "postgresql://u:hun?ter2@127.0.0.1:1/d",
        "postgresql://u:hun#ter2@127.0.0.1:1/d",
        "postgresql://u:hun:ter2@127.0.0.1:1/d",
        "postgresql://u:hun%zter2@127.0.0.1:1/d",
        "postgresql://u:hun[ter2@127.0.0.1:1/d",
        "postgresql://u:hunter2@127.0.0.1:port/d",
        "postgresql://u:hunter2@127.0.0.1:1/d?no_such_option=1",
        "postgresql+psycopg://u:hunter2@127.0.0.1:1/d",
        "postgresql://u@127.0.0.1:1/d?password=hunter2",
        "host=127.0.0.1 port=1 user=u password=hunter2",
        "host=127.0.0.1 port=1 user=u password=hun ter2",
        "host=127.0.0.1 port=1 user=u password='hun ter2",
        "hunter2",
        "",
    ],
)
def test_no_piece_of_a_password_gets_into_an_error(
    url: str, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "/nowhere")
    with pytest.raises(MigrationError) as caught:
        migrate(url, sql=tree.files)
    shown = "".join(traceback.format_exception(caught.value))
    for secret in ("hun", "ter2"):
        assert secret not in shown.replace(f'    migrate("{url}"', "")


def test_a_warning_is_told_in_the_report_and_nothing_is_printed_or_logged(
    tree: Tree,
    empty_database: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    talk = "raise notice 'ho'; raise warning 'hey' using hint = 'Look up.';"
    tree.migration("0003_talkative", f"select 'rows'; do $$ begin {talk} end $$;")
    assert migrate(empty_database, sql=tree.files).warnings == ("hey. Look up.",)
    rollback(empty_database, sql=tree.files)
    assert capfd.readouterr() == ("", "")
    assert [record.message for record in caplog.records if record.levelno >= logging.INFO] == []


# --- The files ---


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("migrations/0003_x.sql", "select 1;\n\ncommit;", "0003_x.sql, line 3: commit is not"),
        ("migrations/0003_x.sql", "-- why\nBegin;", "0003_x.sql, line 2: begin is not allowed"),
        ("migrations/0003_x.sql", "/* a\n */ start transaction;", "line 2: start transaction"),
        ("migrations/0003_x.rollback.sql", "select 1;", "0003_x.rollback.sql rolls back no"),
        ("migrations/0002_y.sql", "", "0002_y.sql and db/migrations/0002_create_things.sql have"),
        ("migrations/3_x.sql", "", "3_x.sql must be named NNNN_verb_noun.sql"),
        ("migrations/post-apply.sql", "", "post-apply.sql must be named NNNN_verb_noun.sql"),
        ("functions/f.sql", function("f", "select 1"), "f.sql must be in functions/<area>/"),
        ("functions/a/b/f.sql", function("f", "select 1"), "f.sql must be in functions/<area>/"),
        (
            "functions/a/F.sql",
            function("F", "select 1"),
            "F.sql must be named like an SQL function",
        ),
        ("functions/a/f.sql", function("g", "select 1"), "f.sql must create wallet.f and nothing"),
        ("functions/a/f.sql", "select 1;", "it creates no function"),
        (
            "functions/a/f.sql",
            function("f", "select 1") + function("g", "select 1"),
            "it creates wallet.f, wallet.g",
        ),
        (
            "functions/a/a_first.sql",
            function("a_first", "select 1"),
            "area/a_first.sql and db/functions/a/a_first.sql hold the same function",
        ),
    ],
)
def test_misplaced_files_are_refused(path: str, text: str, message: str, tree: Tree) -> None:
    tree.write(path, text)
    with pytest.raises(SqlFilesError, match=message):
        migrate("postgresql:///never_asked", sql=tree.files)


def test_a_file_that_is_not_utf8_is_refused(tree: Tree) -> None:
    (tree.files.root / "migrations" / "0003_x.sql").write_bytes(b"-- caf\xe9")
    with pytest.raises(SqlFilesError, match=r"^db/migrations/0003_x.sql is not UTF-8 text"):
        tree.files.migrations()


def test_a_migration_that_asks_to_run_without_a_transaction_is_refused(
    tree: Tree, empty_database: str
) -> None:
    tree.migration("0003_x", "-- transactional: false\nselect 1;")
    with pytest.raises(MigrationError, match=r"0003_x.sql asks to run outside a transaction"):
        migrate(empty_database, sql=tree.files)


def test_statements_are_split_where_postgresql_would(tree: Tree) -> None:
    statements = [
        "create function wallet.f() returns void language plpgsql as $body$\n"
        "begin if true then perform ';'; end if; end; $body$;",
        "do $$ begin execute $q$select 1; select 2$q$; end $$;",
        "create table t (a int check (case when a > 1 then true else false end));",
        "select 'it''s; fine', E'\\';', \"odd;name\";",
        "create function g() returns int language sql begin atomic select 1; select 2; end;",
        "select 3",
    ]
    tree.migration("0003_x", "-- first;\n" + "\n/* ; */ -- ;\n".join(statements))
    *_, file = tree.files.migrations()
    assert [statement.text for statement in file.statements()] == statements
    for statement in file.statements():
        assert file.text[statement.start :].startswith(statement.text)


def test_files_are_found_in_the_checkout_and_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SqlFiles.find() == PRODUCT
    package = tmp_path / "site-packages" / "pgwallet"
    (package / "db" / "migrations").mkdir(parents=True)
    (package.parent / "db" / "migrations").mkdir(parents=True)
    monkeypatch.setattr(sql_files, "__file__", str(package / "database" / "sql_files.py"))
    assert SqlFiles.find().root == package / "db"
    shutil.rmtree(package / "db")
    shutil.rmtree(package.parent / "db")
    with pytest.raises(SqlFilesError, match="SQL files are missing"):
        SqlFiles.find()
