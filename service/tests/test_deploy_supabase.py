"""A server with roles as Supabase has them, whose `postgres` is no superuser.

Here that login has another name: a server's first role can't be anything but a superuser.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ..database.embedded import EmbeddedServer, EmbeddedServerError, find_binaries
from .deployments import deployed, work_a_day
from .plugin import SQL_MAJORS
from .secured import DATABASE, SecuredServer
from .servers import OPTIONAL_MAJORS, OPTIONS
from .services import CHECKOUT, wallet

Connection = psycopg.Connection[Any]

OWNER = "project_owner"

ROLES = f"""
    create role anon nologin;
    create role authenticated nologin;
    create role service_role nologin bypassrls;
    create role authenticator login noinherit;
    grant anon, authenticated, service_role to authenticator;
    create role {OWNER} login createdb createrole bypassrls;
    alter database {DATABASE} owner to {OWNER};
"""
# What Supabase gives its `postgres` from PostgreSQL 16 on. Before, to create roles was enough.
MAY_GRANT = f"grant anon, authenticated, service_role to {OWNER} with admin option"

CHANGES = re.compile(r"\b(?:update|delete\s+from)\s+wallet\.\w+[^;]*;")


@contextmanager
def supabase(major: int) -> Iterator[SecuredServer]:
    with tempfile.TemporaryDirectory(prefix="pgwallet-test-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedServer(
            folder / "server", binaries=find_binaries(major), options=OPTIONS
        ) as embedded:
            embedded.ensure_database(DATABASE)
            with psycopg.connect(embedded.url(DATABASE), autocommit=True) as connection:
                connection.execute(ROLES.encode())
            yield SecuredServer(embedded)


@pytest.fixture(params=SQL_MAJORS, ids=lambda major: f"pg{major}")
def server(request: pytest.FixtureRequest) -> Iterator[SecuredServer]:
    major: int = request.param
    try:
        find_binaries(major)
    except EmbeddedServerError as exc:
        if major in OPTIONAL_MAJORS:
            pytest.skip(str(exc))
        raise
    with supabase(major) as server:
        yield server


async def test_the_owner_of_a_project_sets_it_all_up(server: SecuredServer, tmp_path: Path) -> None:
    owner = server.embedded.url(DATABASE, OWNER)
    with psycopg.connect(server.url(), autocommit=True) as superuser:
        superuser.execute(MAY_GRANT)
        done = wallet(tmp_path, "migrate", DATABASE_URL=owner)
        assert (done.returncode, done.stderr) == (0, "")
        done = server.psql("create_logins.sql", owner)
        assert (done.returncode, done.stderr) == (0, "")

        urls = (server.url(login) for login in ("wallet_http", "wallet_jobs"))
        async with deployed(tmp_path, superuser, *urls) as deployment:
            org_id = await work_a_day(deployment, superuser)
            assert (await deployment.show("/api/wallet/summary", org_id)).status == 200
            assert deployment.complaints() == []


def test_whoever_is_not_signed_in_gets_nothing(server: SecuredServer, tmp_path: Path) -> None:
    with psycopg.connect(server.url(), autocommit=True) as superuser:
        superuser.execute(MAY_GRANT)
        owner = server.embedded.url(DATABASE, OWNER)
        assert wallet(tmp_path, "migrate", DATABASE_URL=owner).returncode == 0
        [(usage,)] = superuser.execute(
            "select has_schema_privilege('anon', 'wallet', 'usage')"
        ).fetchall()
        assert usage is False


def test_where_a_grant_fails_migrating_says_so(tmp_path: Path) -> None:
    with supabase(18) as server, psycopg.connect(server.url(), autocommit=True) as superuser:
        owner = server.embedded.url(DATABASE, OWNER)
        done = wallet(tmp_path, "migrate", DATABASE_URL=owner)
        assert done.returncode == 0
        assert "grant authenticated to wallet_gateway" in done.stderr

        refused = server.psql("create_logins.sql", owner)
        assert refused.returncode == 3
        assert 'permission denied to grant role "service_role"' in refused.stderr

        superuser.execute(MAY_GRANT)
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute("grant authenticated to wallet_gateway")
        assert server.psql("create_logins.sql", owner).returncode == 0
        with psycopg.connect(server.url("wallet_http"), autocommit=True) as service:
            service.execute("set role authenticated")


def test_no_function_changes_rows_without_saying_which() -> None:
    """Supabase's API refuses that, by an extension that it loads: safeupdate."""
    for path in sorted((CHECKOUT / "db/functions").rglob("*.sql")):
        text = re.sub(r"^comment on .*?;$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for statement in CHANGES.findall(re.sub(r"--.*", "", text)):
            assert re.search(r"\bwhere\b", statement), f"{path.name}: {statement}"
