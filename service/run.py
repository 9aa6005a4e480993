"""`wallet run` and `wallet serve`: the service with a database of its own, or alone."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shlex
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import UUID

import click
import psycopg

from .database.embedded import EmbeddedServer
from .database.migrate import migrate
from .http.app import STRIPE_WEBHOOK_PATH, listen, running
from .logs import configure_logging
from .settings import ServiceSettings, Settings
from .signals import StopSignals

HOME = Path(".pgwallet")
SECRET_FILE = HOME / "webhook_secret"

SERVICE_ROLE = "pgwallet_service"

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
            service_url = settings.database_url.get_secret_value()
            migrate(service_url)
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
            _create_demo_wallet(url)
            service_url = server.url(user=SERVICE_ROLE)
            psql = shlex.join([_shorten(server.binaries / "psql"), url])

        listener = stack.enter_context(_listen_nearby(settings))
        service = ServiceSettings.load(
            database_url=service_url,
            stripe_webhook_secret=settings.stripe_webhook_secret or read_or_create_secret(),
        )

        def announce(url: str) -> None:
            click.echo(_next_steps(url, psql, has_demo_wallet=not settings.database_url))

        asyncio.run(_serve_until_stopped(service, listener, signals, announce))


async def _serve_until_stopped(
    settings: ServiceSettings,
    listener: socket.socket,
    signals: StopSignals,
    announce: Announce | None = None,
) -> None:
    stop = signals.set_event()
    async with running(settings, listener) as url:
        if announce:
            announce(url)
        await stop.wait()


def ensure_service_role(url: str) -> None:
    """Let the service log in as a role that can call its functions and do nothing else."""
    with psycopg.connect(url, autocommit=True) as connection:
        roles = connection.execute(
            "select from pg_catalog.pg_roles where rolname = %s", [SERVICE_ROLE]
        )
        if not roles.rowcount:
            connection.execute(f"create role {SERVICE_ROLE} login in role wallet_webhook")


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


def _next_steps(url: str, psql: str, *, has_demo_wallet: bool) -> str:
    webhook = url + STRIPE_WEBHOOK_PATH
    send = [program(), "send-test-event", "--amount", "5000"]
    if not has_demo_wallet:
        send += ["--org", "ORGANIZATION_ID"]
    if webhook != DEFAULT_WEBHOOK_URL:
        send += ["--url", webhook]
    query = "select name, wallet_balance_pence from wallet.organizations"
    return f"""
pgwallet is running.

  Service    {url}/health
  Webhook    {webhook}
  Database   {psql}

Send a signed payment of £50.00 to the webhook, from another terminal:

  {" ".join(send)}

and see it in the wallet:

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


def read_secret() -> str:
    """The signing secret that the first `wallet run` made here."""
    secret = SECRET_FILE.read_text().strip()
    if not secret.startswith("whsec_"):
        raise click.ClickException(
            f"{SECRET_FILE} holds no signing secret: delete it, and `wallet run` makes a new one."
        )
    return secret


def read_or_create_secret() -> str:
    HOME.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(SECRET_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_secret()
    with os.fdopen(descriptor, "w") as file:
        file.write(f"whsec_{secrets.token_hex(32)}\n")
    return read_secret()
