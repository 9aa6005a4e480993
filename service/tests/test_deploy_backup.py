"""Backup and restore, as docs/deploying.md has them: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from ..database.migrate import migrate
from .docs import call, deliver
from .organizations import fill
from .reconciliations import CALL_PENCE, days_ago, report_call, take_place
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .secured import MIGRATOR, SecuredServer, deployed_server, secured_server
from .servers import DatabaseServer, check_books
from .services import balance, open_wallet, topups, wallet
from .workers import vapi_at

Connection = psycopg.Connection[Any]

CHARGE = ("call-after-the-backup", None, 50, 70, 85)


def run(server: DatabaseServer | SecuredServer, program: str, *arguments: str | Path) -> str:
    """What one of PostgreSQL's own programs prints."""
    done = subprocess.run(
        [server.embedded.binaries / program, *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def back_up(server: DatabaseServer | SecuredServer, url: str, folder: Path) -> Path:
    dump = folder / "shop.dump"
    run(server, "pg_dump", "--format=custom", f"--file={dump}", url)
    return dump


def restore(server: DatabaseServer | SecuredServer, dump: Path, url: str) -> None:
    options = ("--single-transaction", "--exit-on-error")
    run(server, "pg_restore", *options, f"--dbname={url}", dump)


def schema_of(server: DatabaseServer | SecuredServer, url: str) -> str:
    """Every definition, owner, privilege and policy."""
    text = run(server, "pg_dump", "--schema-only", url)
    # Newer pg_dumps put a random key into two lines.
    lines = (line for line in text.splitlines() if not line.startswith("\\"))
    # The order of a policy's roles is that in which they were created.
    return re.sub(r" TO ([\w, ]+) USING", _in_order, "\n".join(lines))


def _in_order(match: re.Match[str]) -> str:
    return f" TO {', '.join(sorted(match[1].split(', ')))} USING"


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.mark.each_server
def test_a_restored_database_is_the_one_that_was_backed_up(
    server: DatabaseServer,
    database: str,
    connection: Connection,
    empty_database: str,
    tmp_path: Path,
) -> None:
    first, second = (fill(connection, name, 50_00) for name in ("acme", "globex"))
    restore(server, back_up(server, database, tmp_path), empty_database)

    assert schema_of(server, empty_database) == schema_of(server, database)
    assert migrate(empty_database).applied == ()
    assert schema_of(server, empty_database) == schema_of(server, database)
    check_books(empty_database)

    with psycopg.connect(empty_database, autocommit=True) as restored:
        for org_id in (first, second):
            assert chain(restored, org_id) == chain(connection, org_id)
            known = call(restored, "adjust_wallet", org_id, 50_00, "credit", "-", "-", "opening")
            assert known["duplicate"]
            charged = call(restored, "deduct_call_credits", org_id, *CHARGE)
            assert charged["entry_number"] == len(chain(connection, org_id)) + 1
            assert visible_to(restored, org_id) == {org_id}
    check_books(empty_database)


def chain(connection: Connection, org_id: UUID) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        select entry_number, entry_hash from wallet.credit_transactions
         where org_id = %s order by entry_number
        """,
        [org_id],
    ).fetchall()


def visible_to(connection: Connection, org_id: UUID) -> set[UUID]:
    """Whose entries a customer of this organization sees."""
    claims = json.dumps({"app_metadata": {"org_id": str(org_id)}})
    with connection.transaction():
        connection.execute(
            "select set_config('role', 'authenticated', true),"
            " set_config('request.jwt.claims', %s, true)",
            [claims],
        )
        rows = connection.execute("select org_id from wallet.credit_transactions")
        return {seen for (seen,) in rows}


@pytest.fixture
def folders() -> Iterator[Callable[[], Path]]:
    """Makes folders that the stand-in account of root can reach as well."""
    with ExitStack() as stack:

        def make() -> Path:
            folder = tempfile.TemporaryDirectory(
                prefix="pgwallet-test-", ignore_cleanup_errors=True
            )
            path = Path(stack.enter_context(folder))
            path.chmod(0o755)
            return path

        yield make


def test_the_roles_of_another_server_come_along(
    folders: Callable[[], Path], tmp_path: Path
) -> None:
    with (
        deployed_server(folders()) as old,
        secured_server(folders() / "server") as new,
        psycopg.connect(old.url(), autocommit=True) as connection,
    ):
        org_id = fill(connection, "acme", 50_00)
        dump = back_up(old, old.url(), tmp_path)
        roles = run(old, "pg_dumpall", "--roles-only", f"--dbname={old.url()}")
        (tmp_path / "roles.sql").write_text(roles)
        # Those that every server has can't be made again, and the rest goes on.
        run(new, "psql", "--no-psqlrc", "--quiet", f"--file={tmp_path / 'roles.sql'}", new.url())
        restore(new, dump, new.url(MIGRATOR))
        # Who may connect is a property of the database, which was made before.
        assert new.psql("create_logins.sql", new.url(MIGRATOR)).returncode == 0

        assert schema_of(new, new.url()) == schema_of(old, old.url())
        assert wallet(tmp_path, "verify", DATABASE_URL=new.url("wallet_operator")).returncode == 0
        assert wallet(tmp_path, "migrate", DATABASE_URL=new.url(MIGRATOR)).returncode == 0
        with psycopg.connect(new.url("wallet_http"), autocommit=True) as service:
            assert call(service, "get_health")["success"]
            assert visible_to(service, org_id) == {org_id}


async def test_what_came_after_the_backup_is_brought_in_once(
    server: DatabaseServer,
    database: str,
    connection: Connection,
    empty_database: str,
    tmp_path: Path,
) -> None:
    """Two payments and two calls; the backup has the first of each."""
    org_id = open_wallet(connection)
    async with running_test_sandbox() as sandbox:
        yesterday = days_ago(1)
        calls = await take_place(sandbox, org_id, yesterday, 2)
        await pay(sandbox, connection, org_id)
        report_call(connection, org_id, yesterday, calls[0])
        dump = await asyncio.to_thread(back_up, server, database, tmp_path)
        await pay(sandbox, connection, org_id)
        report_call(connection, org_id, yesterday, calls[1])
        spent = balance(connection, org_id)
        assert spent == 2 * 50_00 - 2 * CALL_PENCE

        await asyncio.to_thread(restore, server, dump, empty_database)
        with psycopg.connect(empty_database, autocommit=True) as restored:
            assert balance(restored, org_id) == 50_00 - CALL_PENCE
            environment = {
                "DATABASE_URL": empty_database,
                "STRIPE_SECRET_KEY": KEY,
                "STRIPE_API_BASE": sandbox.url,
                **vapi_at(sandbox),
            }
            for command in (("backfill", "--since", "1d"), ("reconcile", "--date", "yesterday")):
                for _again in range(2):
                    done = await asyncio.to_thread(wallet, tmp_path, *command, **environment)
                    assert done.returncode == 0, done.stderr
            assert balance(restored, org_id) == spent
            assert len(topups(restored, org_id)) == 2
    check_books(empty_database)


async def pay(sandbox: RunningSandbox, connection: Connection, org_id: UUID) -> None:
    """A customer pays £50.00, and Stripe tells of it."""
    begun = call(connection, "begin_topup", org_id, 50_00, p_return_url="https://shop.example.com")
    if begun["next"] == "create_customer":
        customer = await sandbox.stripe.v1.customers.create_async(begun["request"]["params"])
        call(connection, "attach_stripe_customer", org_id, customer.id)
        begun = call(
            connection, "begin_topup", org_id, 50_00, p_return_url="https://shop.example.com"
        )
    session = await sandbox.stripe.v1.checkout.sessions.create_async(begun["request"]["params"])
    page = session.to_dict(for_json=True)
    call(connection, "attach_checkout_session", org_id, begun["topup_id"], page)
    await sandbox.pay(session.id)
    for event in reversed((await sandbox.stripe.v1.events.list_async({"limit": 100})).data):
        deliver(connection, event.to_dict(for_json=True))
