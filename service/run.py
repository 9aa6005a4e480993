"""`wallet run` and `wallet serve`: everything on one machine, or the service alone."""

from __future__ import annotations

import asyncio
import errno
import shlex
import socket
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack, suppress
from uuid import UUID

import click
import psycopg
from psycopg.sql import SQL, Identifier

from .database.embedded import EmbeddedServer
from .database.migrate import migrate
from .home import (
    HOME,
    read_or_create_secret,
    read_or_create_token,
    read_or_create_vapi_secret,
)
from .http.app import (
    STRIPE_WEBHOOK_PATH,
    listen,
    listener_url,
    running,
)
from .logs import configure_logging
from .next_steps import next_steps, shorten
from .settings import ServiceSettings, Settings, WorkerSettings
from .signals import StopSignals
from .stand_ins import StandIns, prepared
from .worker.work import work

SERVICE_ROLE = "pgwallet_service"
SERVICE_GROUPS = ("wallet_webhook", "wallet_gateway")
WORKER_ROLE = "pgwallet_worker"
WORKER_GROUPS = ("wallet_worker",)

# Always the same, so that the command that sends an event needs no argument.
DEMO_ORG_ID = UUID("00000000-0000-4000-8000-000000000001")

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
            ensure_service_role(url, WORKER_ROLE, WORKER_GROUPS)
            _create_demo_wallet(url)
            service_url = server.url(user=SERVICE_ROLE)
            worker_url = server.url(user=WORKER_ROLE)
            psql = shlex.join([shorten(server.binaries / "psql"), url])

        listener = stack.enter_context(_listen_nearby(settings))
        browsed = wallet_url(settings, listener)
        org_id = None if settings.database_url else DEMO_ORG_ID
        stand_ins = stack.enter_context(prepared(settings, browsed, org_id))
        common = {
            "stripe_webhook_secret": settings.stripe_webhook_secret or read_or_create_secret(),
            "vapi_webhook_secret": settings.vapi_webhook_secret or read_or_create_vapi_secret(),
            "api_token": settings.api_token or read_or_create_token(),
            **stand_ins.settings,
        }
        service = ServiceSettings.load(database_url=service_url, **common)
        worker = WorkerSettings.load(database_url=worker_url, **common)

        def announce(url: str) -> None:
            click.echo(next_steps(url, browsed, psql, service, has_demo_wallet=org_id is not None))

        asyncio.run(_run_until_stopped(service, worker, listener, stand_ins, signals, announce))


async def _run_until_stopped(
    service: ServiceSettings,
    worker: WorkerSettings,
    listener: socket.socket,
    stand_ins: StandIns,
    signals: StopSignals,
    announce: Announce,
) -> None:
    """What stands in outlives those who call it, and the service the worker."""
    stop = signals.set_event()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stand_ins.running(service, listener_url(listener)))
        url = await stack.enter_async_context(running(service, listener))
        announce(url)
        await work(worker, stop)


async def _serve_until_stopped(
    settings: ServiceSettings, listener: socket.socket, signals: StopSignals
) -> None:
    stop = signals.set_event()
    async with running(settings, listener):
        await stop.wait()


def ensure_service_role(
    url: str, role: str = SERVICE_ROLE, groups: Iterable[str] = SERVICE_GROUPS
) -> None:
    """A login that can do what its groups can and nothing else."""
    with psycopg.connect(url, autocommit=True) as connection:
        roles = connection.execute("select from pg_catalog.pg_roles where rolname = %s", [role])
        if not roles.rowcount:
            connection.execute(SQL("create role {} login").format(Identifier(role)))
        # Also to a login that was made when there were fewer groups.
        for group in groups:
            connection.execute(SQL("grant {} to {}").format(Identifier(group), Identifier(role)))


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


def wallet_url(settings: Settings, listener: socket.socket) -> str:
    """The service as a browser on this machine reaches it."""
    if settings.public_url:
        return settings.public_url
    host, port = listener.getsockname()[:2]
    # No address to go to, but all those that it listens on.
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
