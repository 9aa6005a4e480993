"""`wallet failures`: the events that failed, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from ..next_steps import program
from ..signals import StopSignals
from .base import connect

HEADINGS = ("received (UTC)", "event", "type", "tries", "organization", "error")


@click.command("failures")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.pass_obj
def failures_command(signals: StopSignals, limit: int) -> None:
    """List the Stripe events that failed, the newest first."""
    with connect(signals) as connection:
        [(answer,)] = connection.execute("select wallet.list_failed_events(%s)", [limit]).fetchall()
    failures = answer["failures"]
    if not failures:
        click.echo("No event has failed.")
        return
    for line in _table(failures):
        click.echo(line)
    click.echo(_next_steps(failures, answer["total"]))


def _table(failures: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line for each with what is short, and one below it with the sentence about it."""
    rows = [_row(failure) for failure in failures]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    yield _line(HEADINGS, widths)
    for row, failure in zip(rows, failures, strict=True):
        yield _line(row, widths)
        yield "    " + failure["error_message"]


def _row(failure: dict[str, Any]) -> tuple[str, ...]:
    received_at = datetime.fromisoformat(failure["received_at"]).astimezone(UTC)
    return (
        f"{received_at:%Y-%m-%d %H:%M:%S}",
        failure["event_id"],
        failure["event_type"],
        str(failure["attempts"]),
        failure["org_id"] or "unknown",
        failure["error_code"],
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _next_steps(failures: Sequence[dict[str, Any]], total: int) -> str:
    count = "1 event has failed." if total == 1 else f"{total} events have failed."
    more = "" if len(failures) == total else f" These are the newest {len(failures)}."
    return f"""
{count}{more} When the cause is gone, process one again, or all of them:

  {program()} replay {failures[0]["event_id"]}
  {program()} replay --failed"""
