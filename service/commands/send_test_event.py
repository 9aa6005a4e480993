"""`wallet send-test-event`: a signed payment for a service that is being tried out."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from uuid import UUID

import click
from aiohttp import ClientError, ClientSession, ClientTimeout

from ..home import SECRET_FILE, read_secret
from ..http.app import STRIPE_WEBHOOK_PATH
from ..run import DEFAULT_WEBHOOK_URL, DEMO_ORG_ID
from ..sandbox import events
from ..settings import Settings, SettingsError
from .base import Failure


@click.command("send-test-event")
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
