"""`wallet register-webhook`: the endpoint at Stripe, and its secret where the service finds it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click

from ..env_file import NAME, EnvFileError, add_secret, known_secrets, require_writable
from ..home import load_settings
from ..privacy import is_this_machine
from ..settings import Settings
from ..signals import StopSignals
from ..stripe_api.client import stripe_client
from ..stripe_api.endpoint import API_VERSION, EndpointRefused, Registration, register
from ..stripe_api.failures import STRIPE_FAILURES, explain_failure
from .base import Failure, connect


@click.command("register-webhook")
@click.option(
    "--url",
    required=True,
    help="Where Stripe reaches the service: https://your.host/api/webhooks/stripe",
)
@click.option(
    "--env-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=".env",
    show_default=True,
    help=f"Where the secret of a new endpoint is kept, as {NAME}.",
)
@click.option("--print-secret", is_flag=True, help="Print it instead, and nothing else, on stdout.")
@click.option(
    "--replace", is_flag=True, help="Create a new endpoint, and disable the others of this URL."
)
@click.pass_obj
def register_webhook_command(
    signals: StopSignals, url: str, env_file: Path, print_secret: bool, replace: bool
) -> None:
    """Register the webhook at Stripe, for exactly the events that are handled."""
    settings = load_settings()
    _check_url(url, settings)

    def keep_secret(secret: str) -> None:
        if print_secret:
            click.echo(secret)
        else:
            add_secret(env_file, secret)

    with connect(signals) as connection:
        [(event_types,)] = connection.execute("select wallet.stripe_event_types()").fetchall()
    try:
        if not print_secret:
            require_writable(env_file)
        registration = asyncio.run(_register(settings, url, event_types, keep_secret, replace))
        has_secret = print_secret or bool(known_secrets(env_file) or settings.webhook_secrets)
    except (EndpointRefused, EnvFileError) as exc:
        raise Failure(str(exc)) from None
    except STRIPE_FAILURES as exc:
        raise Failure(explain_failure(exc)) from None
    for line in _describe(registration, len(event_types), env_file, print_secret, has_secret):
        click.echo(line, err=print_secret)


def _check_url(url: str, settings: Settings) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and not settings.livemode and is_this_machine(parts.hostname):
        return
    raise click.BadParameter(
        "expected https://… (http only to this machine, with a test key)", param_hint="--url"
    )


async def _register(
    settings: Settings,
    url: str,
    event_types: list[str],
    keep_secret: Callable[[str], None],
    replace: bool,
) -> Registration:
    async with stripe_client(settings) as client:
        return await register(client, url, event_types, keep_secret, replace=replace)


def _describe(
    registration: Registration,
    event_types: int,
    env_file: Path,
    print_secret: bool,
    has_secret: bool,
) -> list[str]:
    endpoint = registration.endpoint_id
    match registration.action:
        case "created":
            lines = [
                f"Created {endpoint} for {event_types} event types, API version {API_VERSION}."
            ]
            if not print_secret:
                lines.append(f"Its secret is in {env_file}, as {NAME}: restart the service.")
                if os.environ.get(NAME):
                    lines.append(f"But {NAME} of the environment wins over the file: change it.")
        case "updated":
            lines = [f"Updated {endpoint}: enabled, for {event_types} event types."]
        case "unchanged":
            lines = [f"{endpoint} is as it should be: nothing to change."]
    if registration.action != "created" and not has_secret:
        lines.append(
            f"{NAME} is not set, and Stripe shows a secret once: copy it from the Dashboard,"
            " or run this again with --replace."
        )
    if registration.disabled:
        lines.append(f"Disabled {', '.join(registration.disabled)}.")
    if registration.duplicates:
        lines.append(
            f"{', '.join(registration.duplicates)} of the same URL sends every event once more:"
            " disable it in the Dashboard."
        )
    return lines
