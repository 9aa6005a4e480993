"""`wallet doctor`: a good installation passes, and each broken part is named with its remedy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from subprocess import CompletedProcess
from time import time
from typing import Any

import psycopg
import pytest
from aiohttp import web
from psycopg.types.json import Jsonb

from ..http.app import listen, listener_url
from ..run import ensure_service_role
from ..sandbox import events
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import WHSEC, WalletProcess, open_wallet, service_url, wallet
from .test_register_webhook import URL, add_endpoint
from .workers import worker_url

Connection = psycopg.Connection[Any]
Doctor = Callable[..., Awaitable[CompletedProcess[str]]]

JWT_SECRET = "s3cret-of-customers-tokens-in-the-tests"

PARTS = {
    "settings",
    "database",
    "schema",
    "roles",
    "customers",
    "login",
    "mode",
    "worker",
    "messages",
    "events",
    "books",
    "stripe",
    "endpoint",
    "clock",
}


@pytest.fixture
def connection(connect: Callable[..., Connection], database: str) -> Connection:
    """Of a database that the service and a worker use."""
    connection = connect()
    ensure_service_role(database)
    worker_url(database)
    connection.execute("select wallet.note_worker('worker-1', '1.0')")
    connection.execute("select wallet.check_books('worker-1')")
    return connection


@pytest.fixture
def event_types(connection: Connection) -> list[str]:
    [(types,)] = connection.execute("select wallet.stripe_event_types()").fetchall()
    return list(types)


@pytest.fixture
def doctor(database: str, tmp_path: Path) -> Doctor:
    async def run(
        sandbox: RunningSandbox | None, *arguments: str, **settings: str
    ) -> CompletedProcess[str]:
        environment = {
            "DATABASE_URL": database,
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_WEBHOOK_SECRET": WHSEC,
            "JWT_SECRET": JWT_SECRET,
            "STRIPE_API_BASE": sandbox.url if sandbox else "http://127.0.0.1:9",
            **settings,
        }
        kept = {name: value for name, value in environment.items() if value}
        result = await asyncio.to_thread(wallet, tmp_path, "doctor", *arguments, **kept)
        assert "Traceback" not in result.stderr
        for secret in (WHSEC, KEY, JWT_SECRET, "hunter2"):
            assert secret not in result.stdout + result.stderr
        return result

    return run


@asynccontextmanager
async def healthy(event_types: list[str], **endpoint: Any) -> AsyncIterator[RunningSandbox]:
    """A sandbox that knows our endpoint."""
    async with running_test_sandbox() as sandbox:
        await add_endpoint(sandbox, event_types, **endpoint)
        yield sandbox


def findings(result: CompletedProcess[str]) -> dict[str, list[str]]:
    """Level, text and advice of each finding, by its part."""
    found: dict[str, list[str]] = {}
    pattern = r"^(ok|warning|failed) +(\w+) +(.*(?:\n {19}.*)?)$"
    for level, part, text in re.findall(pattern, result.stdout, re.MULTILINE):
        found.setdefault(part, []).append(f"{level}: {' '.join(text.split())}")
    return found


def said(result: CompletedProcess[str], part: str) -> str:
    return "\n".join(findings(result).get(part, []))


async def test_a_good_installation_passes(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types) as sandbox:
        result = await doctor(sandbox)
    assert result.returncode == 0, result.stdout
    assert result.stderr == ""
    found = findings(result)
    assert set(found) == PARTS
    assert [line for lines in found.values() for line in lines if not line.startswith("ok: ")] == []
    assert said(result, "database").startswith("ok: PostgreSQL 18")
    assert f"{len(event_types)} event types" in said(result, "endpoint")
    assert said(result, "clock") == "ok: against this machine: the database +0 s, Stripe +0 s"


def test_what_wallet_run_starts_passes(tmp_path: Path) -> None:
    """Without a single setting: embedded database, sandbox and worker."""
    with WalletProcess(tmp_path, "run", PORT="0") as process:
        process.wait_for_url()
        process.wait_until(lambda: wallet(tmp_path, "doctor").returncode == 0)
        result = wallet(tmp_path, "doctor")
    assert result.returncode == 0, result.stdout
    assert "warning" not in result.stdout
    assert "stands in for Stripe" in said(result, "settings")
    assert "JWT secret of `wallet run`" in said(result, "settings")
    assert said(result, "customers") == "ok: the HTTP service can serve them as pgwallet_service"
    assert "the sandbox's own" in said(result, "endpoint")


async def test_every_setting_is_asked_for(connection: Connection, doctor: Doctor) -> None:
    async with running_test_sandbox() as sandbox:
        result = await doctor(sandbox, STRIPE_SECRET_KEY="", STRIPE_WEBHOOK_SECRET="")
        assert result.returncode == 1
        assert "failed: STRIPE_SECRET_KEY is not set. Copy it" in said(result, "settings")
        assert "failed: STRIPE_WEBHOOK_SECRET is not set." in said(result, "settings")
        assert "stripe" not in findings(result)
        assert result.stderr == "Error: 2 of 15 checks failed.\n"

        result = await doctor(sandbox, STRIPE_WEBHOOK_SECRET="sk_test_hunter2")
        assert result.returncode == 1
        assert "STRIPE_WEBHOOK_SECRET is not usable" in said(result, "settings")

        result = await doctor(sandbox, DATABASE_URL="")
        assert result.returncode == 1
        assert "There is no database in .pgwallet" in said(result, "database")
        assert said(result, "stripe").startswith("ok: account acct_")


async def test_the_rest_is_checked_while_the_database_is_down(
    doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types) as sandbox:
        result = await doctor(sandbox, DATABASE_URL="postgresql://user:hunter2@127.0.0.1:1/app")
    assert result.returncode == 1
    assert said(result, "database").startswith("failed: ")
    assert said(result, "stripe").startswith("ok: ")
    assert "its events can't be compared" in said(result, "endpoint")
    assert said(result, "clock").startswith("ok: ")


async def test_the_rest_is_checked_while_stripe_is_down(
    connection: Connection, doctor: Doctor
) -> None:
    result = await doctor(None)
    assert result.returncode == 1
    assert said(result, "stripe").startswith("failed: Stripe can't be reached")
    assert "endpoint" not in findings(result)
    assert said(result, "clock") == "ok: against this machine: the database +0 s"
    assert said(result, "schema").startswith("ok: ")

    result = await doctor(None, DATABASE_URL="postgresql://127.0.0.1:1/app")
    assert said(result, "clock").startswith("warning: There was nothing to compare it with.")


async def test_a_key_that_stripe_refuses_is_named(connection: Connection, doctor: Doctor) -> None:
    async with running_test_sandbox() as sandbox:
        await sandbox.fault("GET", "/v1/account", answer=401)
        result = await doctor(sandbox)
        assert said(result, "stripe").startswith("failed: Stripe doesn't accept STRIPE_SECRET_KEY")

        await sandbox.fault("GET", "/v1/account", answer=403)
        result = await doctor(sandbox)
        assert said(result, "stripe").startswith("ok: Stripe takes the key, a restricted one")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "create or replace function wallet.get_health() returns jsonb language sql"
            " set search_path = pg_catalog, pg_temp as $$select '{}'::jsonb$$",
            "failed: wallet.get_health is not as in its file. Run `wallet migrate`.",
        ),
        (
            "drop function wallet.replay_stripe_event(text)",
            "failed: wallet.replay_stripe_event has a file in db/functions but is not in the"
            " database. Run `wallet migrate`.",
        ),
        (
            "delete from wallet_migrations.migration_checksums where migration_id like '0009%'",
            "failed: Migrations are missing: 0009_create_backfills. Run `wallet migrate`.",
        ),
        (
            "insert into wallet_migrations.migration_checksums values ('9999_new', '')",
            "failed: It has unknown migrations: 9999_new. Update pgwallet.",
        ),
        (
            "grant select on wallet.organizations to wallet_webhook",
            "failed: wallet.organizations may be used by wallet_webhook, who must not hold any"
            " table privilege. Run `wallet migrate`.",
        ),
        (
            "drop schema wallet cascade",
            "failed: The database has no schema wallet. Run `wallet migrate`.",
        ),
    ],
)
@pytest.mark.broken_books
async def test_a_schema_that_is_not_as_in_the_files_is_named(
    connection: Connection, doctor: Doctor, event_types: list[str], change: str, expected: str
) -> None:
    connection.execute(change)
    async with healthy(event_types) as sandbox:
        result = await doctor(sandbox)
    assert result.returncode == 1
    assert expected in said(result, "schema")


async def test_the_login_is_told_what_it_may_do(
    database: str, connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types) as sandbox:
        assert "postgres may operate the wallets" in said(await doctor(sandbox), "login")

        result = await doctor(sandbox, DATABASE_URL=service_url(database))
        assert said(result, "login").startswith("ok: pgwallet_service may serve")
        assert said(result, "mode").startswith("warning: This login can't see it.")
        assert said(result, "schema").endswith("functions, all as in the files")
        assert said(result, "events") == "ok: none failed"
        assert "its events can't be compared" in said(result, "endpoint")
        assert result.returncode == 0

        connection.execute("drop role if exists pgwallet_test_stranger")
        connection.execute("create role pgwallet_test_stranger login")
        stranger = database.replace("//postgres@", "//pgwallet_test_stranger@", 1)
        result = await doctor(sandbox, DATABASE_URL=stranger)
        connection.execute("drop role pgwallet_test_stranger")
        assert result.returncode == 1
        assert "failed: pgwallet_test_stranger may not call" in said(result, "login")


async def test_a_service_login_that_reads_tables_is_named(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types) as sandbox:
        connection.execute("alter role pgwallet_service nologin")
        try:
            result = await doctor(sandbox)
            assert "warning: No login is a member of wallet_webhook." in said(result, "roles")
            connection.execute(
                "create role pgwallet_test_both login"
                " in role wallet_webhook, wallet_gateway, service_role"
            )
            result = await doctor(sandbox)
            assert "pgwallet_test_both may use wallet_webhook, but tables as well" in (
                said(result, "roles")
            )
        finally:
            connection.execute("drop role if exists pgwallet_test_both")
            connection.execute("alter role pgwallet_service login")
    assert result.returncode == 0


async def test_a_service_that_can_not_serve_customers_is_named(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types) as sandbox:
        result = await doctor(sandbox)
        assert "JWT_SECRET holds 1" in said(result, "settings")
        assert said(result, "customers") == (
            "ok: the HTTP service can serve them as pgwallet_service"
        )
        try:
            connection.execute("revoke wallet_gateway from pgwallet_service")
            result = await doctor(sandbox)
            assert result.returncode == 1
            assert said(result, "customers") == (
                "failed: pgwallet_service may not become a tenant: customers get no answer."
                " grant wallet_gateway to pgwallet_service;"
            )
            connection.execute("revoke authenticated from wallet_gateway")
            result = await doctor(sandbox)
            assert said(result, "customers").startswith(
                "failed: wallet_gateway may not become a tenant"
            )
            assert "grant authenticated to wallet_gateway;" in said(result, "customers")

            result = await doctor(sandbox, JWT_SECRET="")
            assert result.returncode == 0
            assert "the wallet page is off" in said(result, "settings")
            assert said(result, "customers").startswith("warning: wallet_gateway may not")
        finally:
            connection.execute("grant authenticated to wallet_gateway")
            connection.execute("grant wallet_gateway to pgwallet_service")

        result = await doctor(sandbox, JWT_SECRET="", JWT_JWKS_URL="https://auth.example.com/keys")
        assert "JWT_JWKS_URL names the keys" in said(result, "settings")
        assert said(result, "customers").startswith("ok: ")


@pytest.mark.broken_books
async def test_what_the_last_check_of_the_books_said_is_told(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types) as sandbox:
        assert re.fullmatch(
            r"ok: in order at \d{4}-\d\d-\d\d \d\d:\d\d UTC, wallets checked: 0",
            said(await doctor(sandbox), "books"),
        )
        open_wallet(connection)
        connection.execute("update wallet.organizations set wallet_balance_pence = 1")
        connection.execute(
            """
            update wallet.consistency_checks
               set started_at = started_at - interval '49 hours',
                   finished_at = finished_at - interval '49 hours'
            """
        )
        result = await doctor(sandbox)
        assert result.returncode == 0
        assert said(result, "books").startswith("warning: They were last checked at ")

        connection.execute("select wallet.check_books('worker-1')")
        result = await doctor(sandbox)
        assert result.returncode == 1
        assert re.match(r"failed: Problems that the check of .* found: 1\.", said(result, "books"))
        assert "`wallet verify` shows" in said(result, "books")

        connection.execute("delete from wallet.consistency_checks")
        assert "warning: They were never checked." in said(await doctor(sandbox), "books")


async def test_modes_that_differ_are_named(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    connection.execute("select wallet.configure_stripe(true, 'ann')")
    async with healthy(event_types) as sandbox:
        result = await doctor(sandbox)
    assert result.returncode == 1
    assert said(result, "mode") == (
        "failed: The wallets take live events and STRIPE_SECRET_KEY is a test key."
        " Use a live key, or call wallet.configure_stripe(false, 'you')."
    )


async def test_what_waits_for_somebody_is_counted(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    connection.execute("update wallet.workers set seen_at = now() - interval '61 seconds'")
    unknown = events.checkout_completed(events.checkout_session("0" * 32, 50_00))
    connection.execute("select wallet.process_stripe_event(%s)", [Jsonb(unknown)])
    connection.execute(
        "update wallet.outbox_messages set status = 'dead', last_error = 'slack: 404'"
    )
    async with healthy(event_types) as sandbox:
        result = await doctor(sandbox)
    assert result.returncode == 1
    assert said(result, "worker").startswith("failed: No worker gave a sign of life")
    assert said(result, "messages").startswith("warning: Messages given up: 1.")
    assert said(result, "events").startswith("warning: Stripe events that failed: 1")
    assert "wallet replay --failed" in said(result, "events")


@pytest.mark.parametrize(
    ("endpoint", "level", "text"),
    [
        ({"url": "https://example.com/hook"}, "failed", "Stripe has none with a URL that ends"),
        ({"enabled_events": ["payment_intent.succeeded"]}, "failed", "doesn't send charge."),
        ({"enabled_events": ["*"]}, "warning", "also sends *."),
        ({"api_version": "2020-08-27"}, "warning", "API version 2020-08-27"),
        ({"api_version": None}, "warning", "API version the account's default"),
    ],
)
async def test_an_endpoint_that_is_not_right_is_named(
    connection: Connection,
    doctor: Doctor,
    event_types: list[str],
    endpoint: dict[str, Any],
    level: str,
    text: str,
) -> None:
    fields = {"enabled_events": event_types, **endpoint}
    fields = {name: value for name, value in fields.items() if value is not None}
    async with running_test_sandbox() as sandbox:
        if "api_version" in endpoint and endpoint["api_version"] is None:
            params: Any = {"url": URL, **fields}
            await sandbox.stripe.v1.webhook_endpoints.create_async(params)
        else:
            await add_endpoint(sandbox, **{"event_types": event_types, **fields})
        result = await doctor(sandbox)
        assert result.returncode == (1 if level == "failed" else 0)
        assert said(result, "endpoint").startswith(level)
        assert text in said(result, "endpoint")
        assert "wallet register-webhook" in said(result, "endpoint")


async def test_the_endpoint_may_be_named_or_disabled(
    connection: Connection, doctor: Doctor, event_types: list[str]
) -> None:
    async with healthy(event_types, url="https://example.com/hook") as sandbox:
        result = await doctor(sandbox, "--url", "https://example.com/hook")
        assert result.returncode == 0
        assert said(result, "endpoint").startswith("ok: ")

        [endpoint] = await sandbox.objects("webhook_endpoint")
        await sandbox.stripe.v1.webhook_endpoints.update_async(endpoint["id"], {"disabled": True})
        result = await doctor(sandbox, "--url", "https://example.com/hook")
        assert result.returncode == 1
        assert f"failed: {endpoint['id']} is disabled." in said(result, "endpoint")


@pytest.mark.parametrize(
    ("seconds", "level"), [(0, "ok"), (-90, "warning"), (90, "warning"), (-400, "failed")]
)
async def test_clocks_that_differ_are_named(
    connection: Connection, doctor: Doctor, seconds: int, level: str
) -> None:
    """Stripe's is told by the Date of its answer."""

    async def answer(request: web.Request) -> web.Response:
        date = formatdate(time() + seconds, usegmt=True)
        return web.json_response({"id": "acct_1", "object": "account"}, headers={"Date": date})

    app = web.Application()
    app.router.add_get("/v1/account", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    with listen("127.0.0.1", 0) as listener:
        await web.SockSite(runner, listener).start()
        result = await doctor(None, STRIPE_API_BASE=listener_url(listener))
        await runner.cleanup()
    assert said(result, "clock").startswith(level)
    assert re.search(rf"Stripe (\{seconds:+d}|\{seconds + 1:+d}) s", said(result, "clock"))
