"""Commands of an operator: what failed, and are the books right?"""

from __future__ import annotations

from uuid import UUID

import click
import psycopg

from ..signals import StopSignals
from .base import Failure, connect


@click.command("replay")
@click.argument("event_id", required=False)
@click.option("--failed", is_flag=True, help="Replay every event that failed.")
@click.pass_obj
def replay_command(signals: StopSignals, event_id: str | None, failed: bool) -> None:
    """Process stored Stripe events again."""
    if failed == (event_id is not None):
        raise click.UsageError("Name either one EVENT_ID or --failed.")
    with connect(signals) as connection:
        event_ids = [event_id] if event_id else _failed_event_ids(connection)
        failures = sum(not _replay(connection, each) for each in event_ids)
    if failures:
        raise Failure(f"{failures} of {len(event_ids)} events failed.")
    if not event_ids:
        click.echo("No event is waiting.")


def _failed_event_ids(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute(
        """
        select event_id from wallet.processed_stripe_webhooks
         where status = 'failed'
         order by received_at
        """
    )
    return [event_id for (event_id,) in rows]


def _replay(connection: psycopg.Connection, event_id: str) -> bool:
    [(answer,)] = connection.execute("select wallet.replay_stripe_event(%s)", [event_id]).fetchall()
    words = [event_id, answer.get("error") or answer["outcome"]]
    if "balance_after" in answer:
        words.append(
            f"{answer['amount_pence']} pence,"
            f" balance {answer['balance_before']} -> {answer['balance_after']} pence"
        )
    if "message" in answer:
        words.append(answer["message"])
    click.echo("  ".join(words))
    return bool(answer["success"])


@click.command("verify")
@click.option("--org", "org_id", type=click.UUID, help="Only this organization.")
@click.pass_obj
def verify_command(signals: StopSignals, org_id: UUID | None) -> None:
    """Recompute the ledgers and compare the balances."""
    with connect(signals) as connection:
        problems = connection.execute(
            """
            select org_id, null, problem, expected, actual
              from wallet.validate_credits_consistency()
             where %(org_id)s::uuid is null or org_id = %(org_id)s
             union all
            select org_id, entry_number, problem, expected, actual
              from wallet.verify_ledger(%(org_id)s)
            """,
            {"org_id": org_id},
        ).fetchall()
        [(wallets,)] = connection.execute(
            """
            select count(*) from wallet.organizations
             where %(org_id)s::uuid is null or id = %(org_id)s
            """,
            {"org_id": org_id},
        ).fetchall()
    for org, entry, problem, expected, actual in problems:
        place = f"{org} entry {entry}" if entry else f"{org}"
        click.echo(f"{place}: {problem} should be {expected} and is {actual}")
    if problems:
        raise Failure(f"{len(problems)} problems were found.")
    if org_id and not wallets:
        raise Failure(f"There is no wallet of organization {org_id}.")
    click.echo(f"The books are in order. Wallets verified: {wallets}.")
