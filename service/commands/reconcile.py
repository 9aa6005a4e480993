"""`wallet reconcile`: a day's calls compared with Vapi's list, now."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, LiteralString

import click
from psycopg import AsyncConnection

from ..home import load_settings
from ..settings import Settings
from ..signals import StopSignals
from ..vapi_api.client import VapiFailure, vapi_client
from ..vapi_api.reconcile import (
    LEASE_SECONDS,
    CallFunction,
    Lost,
    Reconciliation,
    Report,
    Stopped,
    Window,
)
from ..worker.name import worker_name
from .base import Failure, Interrupted, database

DAY = timedelta(days=1)
DAYS_AGO = {"today": 0, "yesterday": 1}

# Of each list in the report.
MOST_LINES = 20

GOES_ON = "The same command goes on where it stopped."

# What this run, whoever began it, has billed; it is kept until the run is finished.
RECOVERED: LiteralString = """
    select
        wallet.format_money(sum(billed.cost_pence)::bigint, wallets.currency),
        wallet.format_money(sum(billed.owed_pence)::bigint, wallets.currency),
        sum(billed.owed_pence) > 0,
        count(*)
    from wallet.provider_calls as calls
    cross join lateral jsonb_to_record(calls.outcome) as billed (
        org_id uuid, success boolean, duplicate boolean, cost_pence bigint, owed_pence bigint
    )
    inner join wallet.organizations as wallets on wallets.id = billed.org_id
    where calls.from_at = %s and calls.to_at = %s and billed.success and not billed.duplicate
    group by wallets.currency
    order by count(*) desc, wallets.currency
"""

COUNTS = {
    "unfinished": "Not ended yet",
    "duplicates": "Listed more than once",
    "outside": "Listed, and of another day",
}
LISTS = {
    "mismatched": (
        "Of another duration",
        "{vapi_call_id}: {duration_seconds} s here, {provider_duration_seconds} s at Vapi",
    ),
    "unknown_to_provider": ("Not in Vapi's list", "{vapi_call_id} (call {call_id})"),
    "failed": ("Not billed", "{vapi_call_id}: {error}: {message}"),
}


@dataclass(frozen=True)
class Recovered:
    """What was billed in one currency."""

    money: str
    owed: str
    owes: bool
    calls: int


class Day(click.ParamType[date]):
    """A date, or one of the last two days by name."""

    name = "day"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> date:
        today = datetime.now(UTC).date()
        if value in DAYS_AGO:
            return today - DAYS_AGO[value] * DAY
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a date, 2026-11-20, nor {' or '.join(DAYS_AGO)}.")
        if day > today:
            self.fail(f"{value} lies in the future.", param, ctx)
        return day


@click.command("reconcile")
@click.option(
    "--date",
    "day",
    type=Day(),
    default="yesterday",
    show_default=True,
    metavar="DATE|yesterday|today",
    help="The day of the calls, UTC.",
)
@click.pass_obj
def reconcile_command(signals: StopSignals, day: date) -> None:
    """Bill the calls that Vapi has and the wallets don't."""
    settings = load_settings()
    with database(signals) as url:
        try:
            report, recovered = asyncio.run(_reconcile(url, settings, day, signals))
        except VapiFailure as exc:
            raise Failure(f"{exc} {GOES_ON}") from None
        except TimeoutError:
            raise Failure(f"The database took too long. {GOES_ON}") from None
        except Stopped:
            raise Interrupted(f"Stopped. {GOES_ON}") from None
        except Lost:
            raise Failure("A worker has taken this day over, and finishes it.") from None
    for line in _describe(day, report, recovered):
        click.echo(line)
    if failed := report["failed_count"]:
        raise Failure(
            f"{_count(failed, 'call')} could not be billed:"
            " this command tries again, and so does the worker."
        )


async def _reconcile(
    url: str, settings: Settings, day: date, signals: StopSignals
) -> tuple[Report, list[Recovered]]:
    async with (
        vapi_client(settings) as client,
        await AsyncConnection.connect(
            url, autocommit=True, connect_timeout=10, prepare_threshold=None
        ) as connection,
    ):

        async def call(query: LiteralString, *args: Any, seconds: float | None = None) -> Any:
            async with asyncio.timeout(seconds):
                cursor = await connection.execute(query, args)
                [(answer,)] = await cursor.fetchall()
            return answer

        worker = worker_name()
        stop = signals.set_event()
        window = await _claim(call, worker, day)
        reconciliation = Reconciliation(call, client, worker, window, stop)
        async with reconciliation.held():
            await _follow_pages(reconciliation, window)
            await _follow_recoveries(reconciliation)
            cursor = await connection.execute(RECOVERED, [window.from_at, window.to_at])
            recovered = [Recovered(*row) for row in await cursor.fetchall()]
            report = await reconciliation.finish()
    return report, recovered


async def _claim(call: CallFunction, worker: str, day: date) -> Window:
    from_at = datetime.combine(day, time(), UTC)
    answer = await call(
        "select wallet.claim_call_reconciliation(%s, %s, %s, %s)",
        *(worker, LEASE_SECONDS, from_at, from_at + DAY),
    )
    if not answer["success"]:
        until = datetime.fromisoformat(answer["lease_until"]).astimezone(UTC)
        raise Failure(
            f"{answer['claimed_by']} is at this day right now: try again after"
            f" {until:%H:%M:%S} UTC, should it not be done before."
        )
    window = Window.read(answer["reconciliation"])
    if window.resumed:
        click.echo(f"Going on at {window.listed_back_to.astimezone(UTC):%H:%M:%S} UTC.")
    return window


async def _follow_pages(reconciliation: Reconciliation, window: Window) -> None:
    """A progress bar over the day, from its end to its beginning, where somebody looks at it."""
    done = 0
    with click.progressbar(
        length=max(1, int((window.listed_back_to - window.from_at).total_seconds())),
        label="Listing Vapi's calls",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    ) as bar:
        async for page in reconciliation.pages():
            seconds = int((window.listed_back_to - page.listed_back_to).total_seconds())
            bar.update(seconds - done)
            done = seconds


async def _follow_recoveries(reconciliation: Reconciliation) -> None:
    """A progress bar over the calls that are missing, where there are many and somebody looks."""
    recoveries = reconciliation.recoveries()
    remaining = await anext(recoveries)
    with click.progressbar(
        length=remaining,
        label="Billing what is missing",
        file=sys.stderr,
        hidden=not (remaining and sys.stderr.isatty()),
    ) as bar:
        async for left in recoveries:
            bar.update(remaining - left)
            remaining = left


def _describe(day: date, report: Report, recovered: list[Recovered]) -> Iterator[str]:
    yield (
        f"{day} (UTC): {_count(report['provider_calls'], 'call')} at Vapi,"
        f" {report['known']:,} known, {report['missing']:,} missing."
    )
    sums = [
        f"{each.money} for {_count(each.calls, 'call')}"
        + (f", of which {each.owed} is owed" if each.owes else "")
        for each in recovered
    ]
    yield f"Recovered: {'; '.join(sums) or 'nothing'}."
    if report["reliability_percent"] is not None:
        alerted = " An alert was raised." if report["alerted"] else ""
        yield f"The webhook told of {report['reliability_percent']} % of the calls.{alerted}"
    for name, title in COUNTS.items():
        if report[name]:
            yield f"{title}: {_count(report[name], 'call')}."
    for name, (title, line) in LISTS.items():
        if count := report[f"{name}_count"]:
            yield f"{title}: {_count(count, 'call')}."
            shown = report[name][:MOST_LINES]
            yield from (f"  {line.format_map(each)}" for each in shown)
            if count > len(shown):
                yield f"  and {count - len(shown):,} more"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
