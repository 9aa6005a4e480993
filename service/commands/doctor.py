"""`wallet doctor`: what is missing, and what to do about it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import click
import psycopg

from ..database.checkup import check_database
from ..findings import Finding, failed, ok, warning
from ..home import JWT_SECRET_FILE, SECRET_FILE, load_settings
from ..settings import Settings, SettingsError
from ..signals import StopSignals
from ..stripe_api.checkup import check_endpoint, check_key
from ..stripe_api.client import stripe_client
from .base import Failure, connect

STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}

CLOCK_WARNING_SECONDS = 60
CLOCK_FAILED_SECONDS = 300  # the tolerance of signatures


@click.command("doctor")
@click.option("--url", help="The webhook's.  [default: every endpoint with the path of it]")
@click.pass_obj
def doctor_command(signals: StopSignals, url: str | None) -> None:
    """Check the settings, the database, Stripe, and the clocks."""
    levels = []
    for finding in _examine(signals, url):
        _show(finding)
        levels.append(finding.level)
    if failures := levels.count("failed"):
        raise Failure(f"{failures} of {len(levels)} checks failed.")


def _show(finding: Finding) -> None:
    level = click.style(f"{finding.level:<8}", fg=STYLES[finding.level])
    click.echo(f"{level} {finding.part:<9} {finding.text}")
    if finding.advice:
        click.echo(f"{'':<19}{finding.advice}")


def _examine(signals: StopSignals, url: str | None) -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as exc:
        yield failed("settings", str(exc), "Mend it first: the rest can't be checked.")
        return
    yield from check_settings(settings)

    clocks: dict[str, float] = {}
    event_types: list[str] | None = None
    try:
        with connect(signals) as connection:
            clocks["the database"] = _database_seconds_ahead(connection)
            yield from check_database(
                connection,
                livemode=settings.livemode if settings.stripe_secret_key else None,
                has_customers=_verifies_tokens(settings),
            )
            event_types = _event_types(connection)
    except psycopg.Error as exc:
        reason = str(exc).splitlines()[0]
        yield failed("database", reason, "Look at DATABASE_URL and at the server.")
    except click.ClickException as exc:
        yield failed("database", exc.message, "Set DATABASE_URL, or start `wallet run`.")

    if settings.stripe_secret_key:
        findings, seconds_ahead = asyncio.run(_check_stripe(settings, url, event_types))
        yield from findings
        if seconds_ahead is not None:
            clocks["Stripe"] = seconds_ahead
    yield check_clocks(clocks)


def check_settings(settings: Settings) -> Iterator[Finding]:
    if not settings.stripe_secret_key:
        yield failed(
            "settings",
            "STRIPE_SECRET_KEY is not set.",
            "Copy it from Stripe's Dashboard: Developers, API keys.",
        )
    elif settings.stripe_api_base:
        yield ok("settings", f"{settings.stripe_api_base} stands in for Stripe")
    else:
        mode = "live" if settings.livemode else "test"
        yield ok("settings", f"STRIPE_SECRET_KEY is a {mode} key")
    if settings.webhook_secrets:
        yield ok("settings", f"STRIPE_WEBHOOK_SECRET holds {len(settings.webhook_secrets)}")
    elif SECRET_FILE.exists():
        yield ok("settings", f"the webhook secret of `wallet run` is in {SECRET_FILE}")
    else:
        yield failed(
            "settings",
            "STRIPE_WEBHOOK_SECRET is not set.",
            "`wallet register-webhook` puts it into .env.",
        )
    if settings.jwt_secrets:
        yield ok("settings", f"JWT_SECRET holds {len(settings.jwt_secrets)}")
    if settings.jwt_jwks_url:
        yield ok("settings", "JWT_JWKS_URL names the keys of customers' tokens")
    if not _verifies_tokens(settings):
        yield ok("settings", "neither JWT_SECRET nor JWT_JWKS_URL: the wallet page is off")
    elif not settings.jwt_secrets and not settings.jwt_jwks_url:
        yield ok("settings", f"the JWT secret of `wallet run` is in {JWT_SECRET_FILE}")


def _verifies_tokens(settings: Settings) -> bool:
    return bool(settings.jwt_secrets or settings.jwt_jwks_url or JWT_SECRET_FILE.exists())


def _database_seconds_ahead(connection: psycopg.Connection[Any]) -> float:
    before = time.time()
    [(seconds,)] = connection.execute(
        "select extract(epoch from clock_timestamp())::float8"
    ).fetchall()
    return float(seconds) - (before + time.time()) / 2


def _event_types(connection: psycopg.Connection[Any]) -> list[str] | None:
    """None where the schema, or the login's rights, are not as they should be."""
    try:
        [(event_types,)] = connection.execute("select wallet.stripe_event_types()").fetchall()
    except psycopg.Error:
        return None
    return list(event_types)


async def _check_stripe(
    settings: Settings, url: str | None, event_types: list[str] | None
) -> tuple[list[Finding], float | None]:
    async with stripe_client(settings) as client:
        finding, seconds_ahead = await check_key(client)
        if finding.level == "failed":
            return [finding], seconds_ahead
        return [finding, *await check_endpoint(client, url, event_types)], seconds_ahead


def check_clocks(clocks: dict[str, float]) -> Finding:
    """By how many seconds each clock is ahead of this machine's."""
    if not clocks:
        return warning("clock", "There was nothing to compare it with.", "Mend the rest first.")
    apart = max(clocks.values(), default=0.0) - min(clocks.values(), default=0.0)
    furthest = max(apart, *(abs(seconds) for seconds in clocks.values()))
    text = ", ".join(f"{name} {round(seconds):+d} s" for name, seconds in clocks.items())
    if furthest <= CLOCK_WARNING_SECONDS:
        return ok("clock", f"against this machine: {text}")
    advice = "Have every clock set by NTP: a signature counts for 300 seconds."
    report = failed if furthest > CLOCK_FAILED_SECONDS else warning
    return report("clock", f"Against this machine: {text}.", advice)
