"""The logins that deploy/ makes: each does its work with them, and nothing else."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from aiohttp import ClientSession
from psycopg import errors, sql

from ..database.embedded import EmbeddedServerError, find_binaries
from ..sandbox import events
from .deployments import SERVICE_SETTINGS, deployed, work_a_day
from .docs import functions_of
from .plugin import SQL_MAJORS
from .secured import MIGRATOR, PASSWORDS, SecuredServer, deployed_server
from .servers import OPTIONAL_MAJORS
from .services import Service, WalletProcess, open_wallet, wallet

Connection = psycopg.Connection[Any]

MEMBERSHIPS = {
    "wallet_http": {"wallet_webhook", "wallet_gateway"},
    "wallet_jobs": {"wallet_worker"},
    "wallet_operator": {"service_role"},
}
TABLES = """
    select c.relname from pg_class as c
     where c.relnamespace = 'wallet'::regnamespace and c.relkind in ('r', 'v')
       and (has_any_column_privilege(%(login)s, c.oid, 'select, insert, update, references')
            or has_table_privilege(%(login)s, c.oid, 'delete, truncate, trigger'))
"""

FORBIDDEN: tuple[LiteralString, ...] = (
    "create table public.mine ()",
    "create table wallet.mine ()",
    "create schema mine",
    "create temporary table mine ()",
    "create role mine",
    "alter role wallet_migrator password 'mine'",
    "select * from wallet_migrations.migration_checksums",
    "delete from wallet.credit_transactions",
    "update wallet.organizations set wallet_balance_pence = 0",
)


@pytest.fixture(scope="module", params=SQL_MAJORS, ids=lambda major: f"pg{major}")
def server(request: pytest.FixtureRequest) -> Iterator[SecuredServer]:
    major: int = request.param
    try:
        find_binaries(major)
    except EmbeddedServerError as exc:
        if major in OPTIONAL_MAJORS:
            pytest.skip(str(exc))
        raise
    with tempfile.TemporaryDirectory(prefix="pgwallet-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with deployed_server(folder, major) as server:
            yield server


@pytest.fixture
def superuser(server: SecuredServer) -> Iterator[Connection]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        yield connection


def connect(server: SecuredServer, login: str, password: str | None = None) -> Connection:
    return psycopg.connect(server.url(login, password), autocommit=True)


async def test_service_and_worker_do_a_day_s_work(
    server: SecuredServer, superuser: Connection, tmp_path: Path
) -> None:
    async with deployed(
        tmp_path, superuser, server.url("wallet_http"), server.url("wallet_jobs")
    ) as deployment:
        org_id = await work_a_day(deployment, superuser)
        summary = await deployment.show("/api/wallet/summary", org_id)
        assert (summary.status, summary.body["org_id"]) == (200, str(org_id))
        assert deployment.complaints() == []


def test_an_operator_has_the_commands(server: SecuredServer, tmp_path: Path) -> None:
    url = server.url("wallet_operator")
    assert wallet(tmp_path, "verify", DATABASE_URL=url).stdout.startswith("The books are in order")
    checked = wallet(tmp_path, "doctor", DATABASE_URL=url).stdout
    for finding in (
        "the HTTP service can log in as wallet_http",
        "the worker can log in as wallet_jobs",
        "wallet_operator may operate the wallets",
        "all as in the files",
    ):
        assert re.search(f"(?m)^ok .*{finding}$", checked), checked


@pytest.mark.parametrize("login", MEMBERSHIPS)
def test_a_login_may_do_what_its_roles_may(superuser: Connection, login: str) -> None:
    functions = {name for role in MEMBERSHIPS[login] for name in functions_of(superuser, role)}
    assert functions_of(superuser, login) == functions
    tables = superuser.execute(TABLES, {"login": login}).fetchall()
    assert bool(tables) == (login == "wallet_operator")
    [(attributes,)] = superuser.execute(
        """
        select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
          from pg_roles where rolname = %s
        """,
        [login],
    ).fetchall()
    assert not attributes


@pytest.mark.parametrize("login", MEMBERSHIPS)
def test_a_login_becomes_no_other_role(
    server: SecuredServer, superuser: Connection, login: str
) -> None:
    roles = {name for (name,) in superuser.execute("select rolname from pg_roles")}
    become = set()
    with connect(server, login) as connection:
        for role in roles:
            try:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            except errors.InsufficientPrivilege:
                continue
            become.add(role)
    as_tenant = {"authenticated"} if login == "wallet_http" else set()
    assert become == {login} | MEMBERSHIPS[login] | as_tenant


@pytest.mark.parametrize("login", MEMBERSHIPS)
def test_a_login_makes_and_changes_nothing_by_itself(server: SecuredServer, login: str) -> None:
    with connect(server, login) as connection:
        for statement in FORBIDDEN:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


def test_nobody_else_can_connect(server: SecuredServer, superuser: Connection) -> None:
    superuser.execute("create role a_stranger login password 'the-password-of-a-stranger'")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(server, "a_stranger", "the-password-of-a-stranger")


def test_the_migrator_owns_the_database_and_is_no_superuser(superuser: Connection) -> None:
    rows = superuser.execute(
        """
        select pg_get_userbyid(datdba), rolsuper
          from pg_database join pg_roles on pg_roles.oid = datdba
         where datname = current_database()
        """
    )
    assert rows.fetchall() == [(MIGRATOR, False)]


def test_run_again_it_sets_other_passwords(server: SecuredServer) -> None:
    changed = PASSWORDS | {"WALLET_HTTP_PASSWORD": "another-password-of-the-service"}
    for passwords in (changed, PASSWORDS):
        other = (changed if passwords is PASSWORDS else PASSWORDS)["WALLET_HTTP_PASSWORD"]
        done = server.psql("create_logins.sql", server.url(MIGRATOR), passwords)
        assert done.returncode == 0, done.stderr
        connect(server, "wallet_http", passwords["WALLET_HTTP_PASSWORD"]).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(server, "wallet_http", other)


async def test_a_service_keeps_its_connections_while_its_password_changes(
    server: SecuredServer, superuser: Connection, tmp_path: Path
) -> None:
    org_id = open_wallet(superuser)
    settings = {**SERVICE_SETTINGS, "DATABASE_URL": server.url("wallet_http")}
    changed = PASSWORDS | {"WALLET_HTTP_PASSWORD": "another-password-of-the-service"}
    with WalletProcess(tmp_path, "serve", **settings) as process:
        async with ClientSession() as client:
            service = Service(process.wait_for_url(), client)
            assert (await service.health()).status == 200
            for passwords in (changed, PASSWORDS):
                done = server.psql("create_logins.sql", server.url(MIGRATOR), passwords)
                assert (done.returncode, done.stderr) == (0, "")
                event = events.checkout_completed(events.checkout_session(org_id, 50_00))
                assert (await service.deliver(event)).outcome == "200 processed"


@pytest.mark.parametrize("password", [None, "", "fifteen-charact"])
def test_without_a_password_of_some_length_nothing_is_changed(
    server: SecuredServer, password: str | None
) -> None:
    passwords = {**PASSWORDS, "WALLET_JOBS_PASSWORD": password}
    given = {name: value for name, value in passwords.items() if value is not None}
    done = server.psql("create_logins.sql", server.url(MIGRATOR), given)
    assert done.returncode == 3
    assert "Set WALLET_HTTP_PASSWORD, WALLET_JOBS_PASSWORD and" in done.stderr
    connect(server, "wallet_jobs").close()


def test_a_superuser_s_passwords_are_in_no_log(
    server: SecuredServer, superuser: Connection
) -> None:
    superuser.execute("alter system set log_statement = 'all'")
    superuser.execute("alter system set log_min_duration_statement = 0")
    try:
        superuser.execute("select pg_reload_conf()")
        secret = PASSWORDS | {"WALLET_JOBS_PASSWORD": "this-one-is-in-no-log"}
        assert server.psql("create_logins.sql", server.url(), secret).returncode == 0
        log = server.embedded.log.read_text()
        assert "grant wallet_worker to wallet_jobs" not in log
        assert "this-one-is-in-no-log" not in log
        superuser.execute("drop role if exists nobody_in_the_log")
        assert "nobody_in_the_log" in server.embedded.log.read_text()
    finally:
        superuser.execute("alter system reset all")
        superuser.execute("select pg_reload_conf()")
        server.psql("create_logins.sql", server.url())
