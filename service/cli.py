"""The command `wallet`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from uuid import UUID

import click
import psycopg
from aiohttp import ClientError, ClientSession, ClientTimeout

from . import __version__
from .database.embedded import EmbeddedServerError, borrow_server
from .database.migrate import MigrationError, migrate, rollback
from .database.sql_files import SqlFilesError
from .demo import play
from .http.app import STRIPE_WEBHOOK_PATH
from .run import (
    DEFAULT_WEBHOOK_URL,
    DEMO_ORG_ID,
    HOME,
    SECRET_FILE,
    read_secret,
    run,
    serve,
)
from .sandbox import events
from .settings import ServiceSettings, Settings, SettingsError
from .signals import StopSignals

# What a database without our schema, or with an older one, answers.
NOT_MIGRATED = frozenset({"3F000", "42P01", "42883"})


class Failure(click.ClickException):
    """Ends the command with a sentence for people."""


class WrongSettings(Failure):
    exit_code = 2


class Interrupted(Failure):
    exit_code = 130


class Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as exc:
            raise WrongSettings(str(exc)) from None
        except (EmbeddedServerError, MigrationError, SqlFilesError) as exc:
            raise Failure(str(exc)) from None
        except psycopg.Error as exc:
            raise Failure(_explain(exc)) from None
        except KeyboardInterrupt:
            raise Interrupted("Stopped.") from None


def _explain(exc: psycopg.Error) -> str:
    if exc.sqlstate in NOT_MIGRATED:
        return "The database is not up to date: run `wallet migrate` first."
    if exc.sqlstate:
        return f"The database refused: {exc.diag.message_primary} (SQLSTATE {exc.sqlstate})."
    return f"The database can't be reached: {str(exc).splitlines()[0]}."


@contextmanager
def _database(signals: StopSignals, *, must_exist: bool = True) -> Iterator[str]:
    """The URL of the database: DATABASE_URL's, or the embedded one, running or started for now."""
    settings = Settings.load()
    if settings.database_url:
        yield settings.database_url.get_secret_value()
        return
    if must_exist and not (HOME / "data").exists():
        raise Failure(
            f"There is no database in {HOME}: start `wallet run` here once, or set DATABASE_URL."
        )
    with borrow_server(HOME) as server:
        try:
            yield server.ensure_database()
        finally:
            signals.ignore()


@contextmanager
def _connection(signals: StopSignals) -> Iterator[psycopg.Connection]:
    with (
        _database(signals) as url,
        psycopg.connect(url, autocommit=True, connect_timeout=10) as connection,
    ):
        yield connection


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="wallet")
@click.pass_context
def main(context: click.Context) -> None:
    """Prepaid wallets in PostgreSQL, topped up through Stripe.

    DATABASE_URL names the database. Without it the commands use an embedded
    PostgreSQL, whose data lie in .pgwallet below the current directory.
    """
    context.obj = StopSignals().install()


@main.command("run")
@click.pass_obj
def run_command(signals: StopSignals) -> None:
    """Start everything: database, migrations, service."""
    run(Settings.load(), signals)


@main.command("serve")
@click.pass_obj
def serve_command(signals: StopSignals) -> None:
    """Start the HTTP service alone, against DATABASE_URL."""
    serve(ServiceSettings.load(), signals)


@main.command("demo")
@click.pass_obj
def demo_command(signals: StopSignals) -> None:
    """Play the main job once through the real HTTP service."""
    if not play(Settings.load(), signals):
        raise Failure("The demo did not go as it should.")


@main.command("migrate")
@click.pass_obj
def migrate_command(signals: StopSignals) -> None:
    """Bring the database to the current schema and functions."""
    with _database(signals, must_exist=False) as url:
        report = migrate(url)
    for migration in report.applied:
        click.echo(f"Applied {migration}.")
    click.echo(f"The database is up to date, with {report.functions} functions.")


@main.command("rollback")
@click.pass_obj
def rollback_command(signals: StopSignals) -> None:
    """Undo the last migration."""
    with _database(signals) as url:
        report = rollback(url)
    if report.rolled_back is None:
        raise Failure("There is no migration to undo.")
    click.echo(f"Undid {report.rolled_back}.")


@main.command("replay")
@click.argument("event_id", required=False)
@click.option("--failed", is_flag=True, help="Replay every event that failed.")
@click.pass_obj
def replay_command(signals: StopSignals, event_id: str | None, failed: bool) -> None:
    """Process stored Stripe events again."""
    if failed == (event_id is not None):
        raise click.UsageError("Name either one EVENT_ID or --failed.")
    with _connection(signals) as connection:
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


@main.command("verify")
@click.option("--org", "org_id", type=click.UUID, help="Only this organization.")
@click.pass_obj
def verify_command(signals: StopSignals, org_id: UUID | None) -> None:
    """Recompute the ledgers and compare the balances."""
    with _connection(signals) as connection:
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


@main.command("send-test-event")
@click.option(
    "--org",
    "org_id",
    type=click.UUID,
    default=DEMO_ORG_ID,
    help="The organization that pays.  [default: the demo organization of `wallet run`]",
)
@click.option(
    "--amount",
    "amount_pence",
    type=click.IntRange(min=1),
    default=5000,
    show_default=True,
    help="In pence.",
)
@click.option("--event-id", help="Send the event of this id again.  [default: a new event]")
@click.option("--url", help=f"The webhook.  [default: {DEFAULT_WEBHOOK_URL}]")
def send_test_event_command(
    org_id: UUID, amount_pence: int, event_id: str | None, url: str | None
) -> None:
    """Send a signed payment to the webhook."""
    settings = Settings.load()
    url = url or f"http://{settings.host}:{settings.port}{STRIPE_WEBHOOK_PATH}"
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("expected a URL of http or https", param_hint="--url")

    # The same event is the same payment, however often it is sent.
    event_id = event_id or events.new_id("evt")
    number = event_id.removeprefix("evt_")
    session = events.checkout_session(
        org_id, amount_pence, session_id=f"cs_test_{number}", payment_intent_id=f"pi_{number}"
    )
    body = events.encode(events.checkout_completed(session, event_id=event_id))
    signature = events.sign(body, _signing_secret(settings))

    try:
        status, answer = asyncio.run(_post(url, body, signature))
    except (ClientError, TimeoutError):
        raise Failure(f"Nothing answers at {url}: is the service running?") from None
    click.echo(f"Sent {event_id}: HTTP {status} {answer}")
    if status != HTTPStatus.OK:
        raise Failure("The webhook did not take the event.")


def _signing_secret(settings: Settings) -> str:
    if settings.webhook_secrets:
        return settings.webhook_secrets[0]
    if SECRET_FILE.exists():
        return read_secret()
    raise SettingsError(
        "STRIPE_WEBHOOK_SECRET is not set, and there is no secret of a `wallet run` here:"
        " set it to the one that the service has."
    )


async def _post(url: str, body: bytes, signature: str) -> tuple[int, str]:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    async with (
        ClientSession(timeout=ClientTimeout(30)) as client,
        client.post(url, data=body, headers=headers, allow_redirects=False) as response,
    ):
        return response.status, await response.text(errors="replace")
