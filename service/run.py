"""`wallet run` and `wallet serve`: everything on one machine, or the service alone."""

from __future__ import annotations

import asyncio
import errno
import shlex
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.sql import SQL, Identifier

from .database.embedded import EmbeddedServer
from .database.migrate import migrate
from .home import (
    HOME,
    SANDBOX_FOLDER,
    published_sandbox,
    read_or_create_secret,
    read_or_create_token,
    read_or_create_vapi_secret,
    sandbox_settings,
)
from .http.app import (
    STRIPE_WEBHOOK_PATH,
    VAPI_WEBHOOK_PATH,
    listen,
    listener_url,
    running,
)
from .logs import configure_logging
from .sandbox.app import running_sandbox
from .settings import ServiceSettings, Settings, WorkerSettings
from .signals import StopSignals
from .worker.work import work

SERVICE_ROLE = "pgwallet_service"
WORKER_ROLE = "pgwallet_worker"

# Always the same, so that the command that sends an event needs no argument.
DEMO_ORG_ID = UUID("00000000-0000-4000-8000-000000000001")

SANDBOX_PORT = 12111

DEFAULT_WEBHOOK_URL = "http://127.0.0.1:8080" + STRIPE_WEBHOOK_PATH

Announce = Callable[[str], None]


def serve(settings: ServiceSettings, signals: StopSignals) -> None:
    configure_logging()
    with suppress(KeyboardInterrupt), _listen(settings) as listener:
        asyncio.run(_serve_until_stopped(settings, listener, signals))


def run(settings: Settings, signals: StopSignals) -> None:
    configure_logging()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        if settings.database_url:
            url = service_url = worker_url = settings.database_url.get_secret_value()
            migrate(url)
            psql = 'psql "$DATABASE_URL"'
        else:
            server = EmbeddedServer(HOME)
            stack.callback(server.stop)
            stack.callback(signals.ignore)
            click.echo(f"Starting PostgreSQL in {HOME} ...")
            server.start()
            url = server.ensure_database()
            migrate(url)
            ensure_service_role(url)
            ensure_service_role(url, WORKER_ROLE, "wallet_worker")
            _create_demo_wallet(url)
            service_url = server.url(user=SERVICE_ROLE)
            worker_url = server.url(user=WORKER_ROLE)
            psql = shlex.join([_shorten(server.binaries / "psql"), url])

        listener = stack.enter_context(_listen_nearby(settings))
        common: dict[str, Any] = {
            "stripe_webhook_secret": settings.stripe_webhook_secret or read_or_create_secret(),
            "vapi_webhook_secret": settings.vapi_webhook_secret or read_or_create_vapi_secret(),
            "api_token": settings.api_token or read_or_create_token(),
        }
        sandbox = None
        if settings.stripe_secret_key is None:
            sandbox = stack.enter_context(_listen_nearby_for_sandbox())
            common |= sandbox_settings(listener_url(sandbox), settings)
        service = ServiceSettings.load(database_url=service_url, **common)
        worker = WorkerSettings.load(database_url=worker_url, **common)

        def announce(url: str) -> None:
            click.echo(_next_steps(url, psql, service, has_demo_wallet=not settings.database_url))

        asyncio.run(_run_until_stopped(service, worker, listener, sandbox, signals, announce))


async def _run_until_stopped(
    service: ServiceSettings,
    worker: WorkerSettings,
    listener: socket.socket,
    sandbox: socket.socket | None,
    signals: StopSignals,
    announce: Announce,
) -> None:
    """The sandbox outlives those who call it, and the service the worker."""
    stop = signals.set_event()
    async with AsyncExitStack() as stack:
        if sandbox:
            base = listener_url(listener)
            webhook = base + STRIPE_WEBHOOK_PATH, service.webhook_secrets[0]
            vapi_server = base + VAPI_WEBHOOK_PATH, service.vapi_secrets[0]
            url = await stack.enter_async_context(
                running_sandbox(SANDBOX_FOLDER, sandbox, webhook, vapi_server)
            )
            stack.enter_context(published_sandbox(url))
        url = await stack.enter_async_context(running(service, listener))
        announce(url)
        await work(worker, stop)


async def _serve_until_stopped(
    settings: ServiceSettings, listener: socket.socket, signals: StopSignals
) -> None:
    stop = signals.set_event()
    async with running(settings, listener):
        await stop.wait()


def ensure_service_role(url: str, role: str = SERVICE_ROLE, group: str = "wallet_webhook") -> None:
    """A login that can call the functions of its group and do nothing else."""
    with psycopg.connect(url, autocommit=True) as connection:
        roles = connection.execute("select from pg_catalog.pg_roles where rolname = %s", [role])
        if not roles.rowcount:
            connection.execute(
                SQL("create role {} login in role {}").format(Identifier(role), Identifier(group))
            )


def _create_demo_wallet(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select wallet.create_wallet(%s, 'Demo organization')", [DEMO_ORG_ID])


def _listen(settings: Settings) -> socket.socket:
    try:
        return listen(settings.host, settings.port)
    except OSError as exc:
        raise click.ClickException(
            f"The service can't listen on {settings.host}, port {settings.port}"
            f" ({exc.strerror}): set HOST or PORT to another."
        ) from None


def _listen_nearby_for_sandbox() -> socket.socket:
    """The same port each time, where it is free, so that pages left open go on working."""
    try:
        return listen("127.0.0.1", SANDBOX_PORT)
    except OSError:
        return listen("127.0.0.1", 0)


def _listen_nearby(settings: Settings) -> socket.socket:
    """Where nobody asked for the port, any other is better than none."""
    if "port" not in settings.model_fields_set:
        try:
            return listen(settings.host, settings.port)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                click.echo(f"Port {settings.port} is in use: taking a free one.")
                settings = settings.model_copy(update={"port": 0})
    return _listen(settings)


def _next_steps(url: str, psql: str, settings: Settings, *, has_demo_wallet: bool) -> str:
    topup = [program(), "topup", "--amount", "5000"]
    if not has_demo_wallet:
        topup += ["--org", "ORGANIZATION_ID"]
    if settings.stripe_api_base:
        stripe = f"{settings.stripe_api_base} (the sandbox: no money moves)"
    else:
        stripe = f"the {'live' if settings.livemode else 'test'} mode of STRIPE_SECRET_KEY"
    query = "select name, wallet_balance_pence from wallet.organizations"
    return f"""
pgwallet is running.

  Service    {url}/health
  Webhook    {url + STRIPE_WEBHOOK_PATH}
  Stripe     {stripe}
  Vapi       {url + VAPI_WEBHOOK_PATH}
  Database   {psql}

Start a top-up of £50.00 in another terminal, and open the page that this prints:

  {" ".join(topup)}

Once it is paid there, see it in the wallet:

  {psql} -c '{query}'

Ctrl-C stops everything{", the database included" if has_demo_wallet else ""}.
"""


def program() -> str:
    """How the reader calls this program, to be shown in front of its next command."""
    name = Path(sys.argv[0])
    if name.name == "__main__.py":
        return shlex.join([_shorten(Path(sys.executable)), "-m", str(__package__)])
    if shutil.which(name.name) == str(name):
        return name.name
    return shlex.quote(_shorten(name))


def _shorten(path: Path) -> str:
    """Relative to the current directory where it lies below."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
