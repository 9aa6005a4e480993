"""`wallet backfill`: what Stripe has and the wallets don't."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta

import click
from psycopg import AsyncConnection

from ..home import load_settings
from ..settings import Settings
from ..signals import StopSignals
from ..stripe_api.backfill import Backfill, BackfillRefused, Run, Tally, begin
from ..stripe_api.client import stripe_client
from ..stripe_api.failures import STRIPE_FAILURES, explain_failure
from .base import Failure, database

UNITS = {"d": "days", "h": "hours"}


class Since(click.ParamType[datetime]):
    """A date, a time, or how long ago."""

    name = "since"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if ago := re.fullmatch(r"(\d{1,4})([dh])", value):
            return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        try:
            since = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a date, 2026-11-01, nor 7d or 12h.", param, ctx)
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
        if since > datetime.now(UTC):
            self.fail(f"{value} lies in the future.", param, ctx)
        return since


@click.command("backfill")
@click.option(
    "--since",
    type=Since(),
    required=True,
    metavar="DATE|7d|12h",
    help="From when on; at most 30 days ago. A date begins at midnight UTC.",
)
@click.option("--restart", is_flag=True, help="Don't go on where a run was interrupted.")
@click.pass_obj
def backfill_command(signals: StopSignals, since: datetime, restart: bool) -> None:
    """Apply whatever Stripe has and the wallets don't."""
    settings = load_settings()
    with database(signals) as url:
        try:
            tally, report = asyncio.run(_backfill(url, settings, since, restart))
        except BackfillRefused as exc:
            raise Failure(str(exc)) from None
        except STRIPE_FAILURES as exc:
            raise Failure(
                f"{explain_failure(exc)} The same command goes on where it stopped."
            ) from None
    click.echo(report)
    if tally.failed:
        raise Failure(
            f"{_count(tally.failed, 'event')} failed:"
            " `wallet replay --failed` shows why, and tries again."
        )


async def _backfill(
    url: str, settings: Settings, since: datetime, restart: bool
) -> tuple[Tally, str]:
    async with (
        stripe_client(settings) as client,
        await AsyncConnection.connect(
            url, autocommit=True, connect_timeout=10, prepare_threshold=None
        ) as connection,
    ):
        run = await begin(connection, since, livemode=settings.livemode, restart=restart)
        if run.resumed:
            at = run.compared_until.astimezone(UTC)
            click.echo(f"Going on at {at:%Y-%m-%d %H:%M} UTC (--restart begins anew).")
        backfill = Backfill(connection, client, run, livemode=settings.livemode, complain=_complain)
        await _follow(backfill, run)
        return backfill.tally, await _describe(connection, backfill.tally)


async def _follow(backfill: Backfill, run: Run) -> None:
    """A progress bar over the time from the beginning to now, where somebody looks at it."""
    done = run.compared_until
    with click.progressbar(
        length=max(1, int((datetime.now(UTC) - done).total_seconds())),
        label="Comparing with Stripe",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        async for compared_until in backfill.windows():
            bar.update(int((compared_until - done).total_seconds()))
            done = compared_until


async def _describe(connection: AsyncConnection, tally: Tally) -> str:
    parts = [f"{_count(tally.applied, 'event')} applied"]
    for key, (number, pence) in sorted(tally.recovered.items()):
        kind, currency = key.split()
        cursor = await connection.execute("select wallet.format_money(%s, %s)", [pence, currency])
        [(money,)] = await cursor.fetchall()
        verb = " recovered" if kind == "payment" else ""
        parts.append(f"{_count(number, kind)}{verb} ({money})")
    if tally.waiting:
        parts.append(f"{tally.waiting} waiting for another event")
    return f"{', '.join(parts)}, nothing changed: {tally.unchanged}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _complain(message: str) -> None:
    click.echo(message, err=True)
