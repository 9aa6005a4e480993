"""`wallet demo`: the main job once, through the real HTTP service, told as a story."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import click
import psycopg
from aiohttp import ClientSession

from .database.embedded import EmbeddedServer
from .database.migrate import migrate
from .http.app import STRIPE_WEBHOOK_PATH, VAPI_WEBHOOK_PATH, listen, running
from .logs import configure_logging
from .run import SERVICE_ROLE, ensure_service_role
from .sandbox import events
from .sandbox.vapi_calls import NewCall, end_of_call_report
from .settings import ServiceSettings, Settings
from .signals import StopSignals


def play(settings: Settings, signals: StopSignals) -> bool:
    """Tell the story, and whether it went as it should."""
    # The service's log lines would stand between those of the story.
    configure_logging(logging.CRITICAL)
    with _database(settings, signals) as (url, service_url):
        service = ServiceSettings.load(
            database_url=service_url,
            stripe_webhook_secret=f"whsec_{secrets.token_hex(16)}",
            vapi_webhook_secret=secrets.token_hex(16),
        )
        with psycopg.connect(url, autocommit=True) as connection:
            return asyncio.run(_play(service, connection))


@contextmanager
def _database(settings: Settings, signals: StopSignals) -> Iterator[tuple[str, str]]:
    """A migrated database: its URL for us, and the one for the service."""
    if settings.database_url:
        url = settings.database_url.get_secret_value()
        migrate(url)
        yield url, url
        return
    with (
        tempfile.TemporaryDirectory(prefix="pgwallet-demo-") as home,
        EmbeddedServer(Path(home)) as server,
    ):
        try:
            url = server.ensure_database()
            migrate(url)
            ensure_service_role(url)
            yield url, server.url(user=SERVICE_ROLE)
        finally:
            signals.ignore()


async def _play(service: ServiceSettings, connection: psycopg.Connection) -> bool:
    with listen("127.0.0.1", 0) as listener:
        async with running(service, listener) as url, ClientSession(url) as client:
            version = connection.info.parameter_status("server_version")
            story = Story(connection, client, service)
            click.echo(f"PostgreSQL {version}, service on {url}, organization {story.org_id}\n")
            await story.tell()
            return story.went_well


class Story:
    """The story of one wallet. Each step is held against what should have happened."""

    def __init__(
        self, connection: psycopg.Connection, client: ClientSession, service: ServiceSettings
    ) -> None:
        self.connection = connection
        self.client = client
        self.stripe_secret = service.webhook_secrets[0]
        self.vapi_secret = service.vapi_secrets[0]
        self.org_id = uuid4()
        self.went_well = True

    async def tell(self) -> None:
        self.call("select wallet.create_wallet(%s, 'Demo organization')", self.org_id)
        self.call(
            "select wallet.add_wallet_credits(%s, 56900, 'bonus',"
            " p_description => 'Opening credit', p_idempotency_key => 'opening')",
            self.org_id,
        )
        self.expect("A wallet holds £569.00; its debt limit is £5.00", "", "", 569_00)

        session = events.checkout_session(self.org_id, 50_00)
        checkout = events.encode(events.checkout_completed(session))
        self.expect(
            "Stripe reports a checkout of £50.00 as paid",
            await self.deliver(checkout, self.stripe_secret),
            "200 processed",
            619_00,
        )
        self.expect(
            "The same event is delivered again",
            await self.deliver(checkout, self.stripe_secret),
            "200 duplicate",
            619_00,
        )
        intent = events.payment_intent(
            self.org_id, 50_00, payment_intent_id=session["payment_intent"]
        )
        self.expect(
            "Stripe's other event about the same payment arrives",
            await self.deliver(
                events.encode(events.payment_intent_event(intent)), self.stripe_secret
            ),
            "200 processed",
            619_00,
        )
        forged = events.checkout_completed(events.checkout_session(self.org_id, 1_000_000_00))
        self.expect(
            "Somebody else sends an event of £1,000,000.00",
            await self.deliver(events.encode(forged), "whsec_guessed"),
            "400 invalid_signature",
            619_00,
        )
        call = self.report("call-1", seconds=91)
        self.expect(
            "Vapi reports a call of 91 seconds: £0.85",
            await self.post_report(call, self.vapi_secret),
            "200 processed",
            618_15,
        )
        self.expect(
            "The same call is reported again",
            await self.post_report(call, self.vapi_secret),
            "200 duplicate",
            618_15,
        )
        self.expect(
            "Somebody else reports a call of an hour",
            await self.post_report(self.report("call-2", seconds=3600), "guessed"),
            "401 unauthorized",
            618_15,
        )
        answer = self.charge("call-3", 650_00, "Call of 12 hours")
        self.expect(
            "A charge of £650.00 would pass the debt limit",
            answer["outcome"],
            "debt_limit_exceeded",
            618_15,
        )
        if answer["outcome"] == "debt_limit_exceeded":
            click.echo(
                f"      from {money(answer['current_balance'])}"
                f" to {money(answer['new_balance_would_be'])},"
                f" {money(answer['amount_over_limit'])} beyond the limit"
            )
        self.print_statement()
        self.verify_books()

    def call(self, query: LiteralString, *args: Any) -> dict[str, Any]:
        [(answer,)] = self.connection.execute(query, args).fetchall()
        return dict(answer)

    def charge(self, call_id: str, pence: int, description: str) -> dict[str, Any]:
        answer = self.call(
            "select wallet.deduct_call_credits(%s, %s, null, %s, 70, %s, p_description => %s)",
            *(self.org_id, call_id, pence * 10 // 17, pence, description),
        )
        return {**answer, "outcome": answer.get("error", "charged")}

    def report(self, call_id: str, seconds: float) -> bytes:
        """What Vapi sends when a call of ours is over."""
        now = datetime.now(UTC)
        call = NewCall(org_id=str(self.org_id), call_id=call_id, duration_seconds=seconds)
        return json.dumps(end_of_call_report(call.build(now), now)).encode()

    async def deliver(self, event: bytes, secret: str) -> str:
        headers = {"Stripe-Signature": events.sign(event, secret)}
        return await self.post(STRIPE_WEBHOOK_PATH, event, headers)

    async def post_report(self, report: bytes, secret: str) -> str:
        return await self.post(VAPI_WEBHOOK_PATH, report, {"X-Vapi-Secret": secret})

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        async with self.client.post(path, data=body, headers=headers) as response:
            answer = await response.json()
        return f"{response.status} {answer.get('outcome') or answer['error']}"

    def expect(self, step: str, outcome: str, expected: str, expected_balance: int) -> None:
        summary = self.call("select wallet.get_wallet_summary(%s)", self.org_id)
        balance = summary["balance_pence"]
        click.echo(f"  {step:<54}{outcome:<24}{money(balance):>10}")
        if (outcome, balance) != (expected, expected_balance):
            self.went_well = False
            click.echo(f"  WRONG: expected {expected} and {money(expected_balance)}")

    def print_statement(self) -> None:
        statement = self.call(
            "select wallet.wallet_statement(%s, '-infinity', 'infinity')",
            self.org_id,
        )
        click.echo("\nStatement\n")
        click.echo(f"  {'#':>2}  {'type':<16}{'description':<36}{'amount':>12}{'balance':>12}")
        for entry in statement["entries"]:
            sign = 1 if entry["direction"] == "credit" else -1
            amount = money(sign * entry["amount_pence"])
            balance = money(entry["balance_after_pence"])
            click.echo(
                f"  {entry['entry_number']:>2}  {entry['type']:<16}{entry['description']:<36}"
                f"{amount:>12}{balance:>12}"
            )
        click.echo(
            f"\n  Credits {money(statement['total_credits_pence'])},"
            f" debits {money(statement['total_debits_pence'])},"
            f" closing balance {money(statement['closing_balance_pence'])}."
        )

    def verify_books(self) -> None:
        problems = self.connection.execute(
            """
            select problem from wallet.verify_ledger(%(org_id)s)
             union all
            select problem from wallet.validate_credits_consistency() where org_id = %(org_id)s
            """,
            {"org_id": self.org_id},
        ).fetchall()
        if problems:
            self.went_well = False
            click.echo(f"\nThe books are wrong: {', '.join(problem for (problem,) in problems)}.")
        else:
            click.echo(
                "\nThe books are in order: every number, balance and hash of the ledger fits."
            )


def money(pence: int) -> str:
    pounds, rest = divmod(abs(pence), 100)
    return f"{'-' if pence < 0 else ''}£{pounds:,}.{rest:02}"
