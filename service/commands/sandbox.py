"""`wallet sandbox`: the stand-in for Stripe and Vapi as a process of its own."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import click

from ..home import SANDBOX_FOLDER, SANDBOX_KEY, SANDBOX_VAPI_KEY, read_or_create_secret
from ..http.app import listen
from ..logs import configure_logging
from ..sandbox.app import running_sandbox
from ..sandbox.pages import RETURN_PATH
from ..sandbox.store import StoreInUse
from ..settings import Settings, SettingsError
from ..signals import StopSignals
from .base import Failure

DEFAULT_PORT = 12111
IN_MEMORY = ":memory:"


@click.command("sandbox")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="On 127.0.0.1; 0 for any free one.",
)
@click.option(
    "--data",
    default=str(SANDBOX_FOLDER),
    show_default=True,
    help=f"The folder to keep its objects in, or {IN_MEMORY}.",
)
@click.option("--webhook-url", help="Where events are sent to, signed with STRIPE_WEBHOOK_SECRET.")
@click.pass_obj
def sandbox_command(signals: StopSignals, port: int, data: str, webhook_url: str | None) -> None:
    """Start the stand-in for Stripe's API, for trying out and for tests."""
    settings = Settings.load()
    if settings.livemode:
        raise SettingsError(
            "STRIPE_SECRET_KEY is a live key: the sandbox never runs beside one. Unset it."
        )
    if webhook_url and not webhook_url.startswith(("http://", "https://")):
        raise click.BadParameter("expected a URL of http or https", param_hint="--webhook-url")
    webhook = (webhook_url, _signing_secret(settings)) if webhook_url else None
    folder = None if data == IN_MEMORY else Path(data)
    configure_logging()
    with suppress(KeyboardInterrupt), _listen(port) as listener:
        try:
            asyncio.run(_run_until_stopped(folder, listener, webhook, signals))
        except StoreInUse as exc:
            raise Failure(str(exc)) from None


async def _run_until_stopped(
    folder: Path | None,
    listener: socket.socket,
    webhook: tuple[str, str] | None,
    signals: StopSignals,
) -> None:
    stop = signals.set_event()
    async with running_sandbox(folder, listener, webhook) as url:
        click.echo(_next_steps(url))
        await stop.wait()


def _signing_secret(settings: Settings) -> str:
    return settings.webhook_secrets[0] if settings.webhook_secrets else read_or_create_secret()


def _listen(port: int) -> socket.socket:
    try:
        return listen("127.0.0.1", port)
    except OSError as exc:
        raise Failure(
            f"The sandbox can't listen on port {port} ({exc.strerror}): choose another with --port."
        ) from None


def _next_steps(url: str) -> str:
    return f"""
The sandbox stands in for Stripe, and for Vapi's list of calls. No money moves.

  export STRIPE_API_BASE={url}
  export STRIPE_SECRET_KEY={SANDBOX_KEY}
  export CHECKOUT_RETURN_URL={url}{RETURN_PATH}
  export VAPI_API_BASE={url}/vapi
  export VAPI_API_KEY={SANDBOX_VAPI_KEY}

Ctrl-C stops it.
"""
