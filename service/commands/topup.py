"""`wallet topup`: the page on which a customer pays, as the HTTP service would start it."""

from __future__ import annotations

import asyncio
from typing import Any, LiteralString
from uuid import UUID

import click
import psycopg

from ..home import load_settings
from ..run import DEMO_ORG_ID
from ..settings import Settings
from ..signals import StopSignals
from ..stripe_api.checkout import StripeFailure, TopupRequest, start_checkout
from ..stripe_api.client import stripe_client
from .base import Failure, connect


@click.command("topup")
@click.option(
    "--org",
    "org_id",
    type=click.UUID,
    default=DEMO_ORG_ID,
    help="The organization that pays.  [default: the demo organization of `wallet run`]",
)
@click.option("--amount", "amount_pence", type=click.IntRange(min=1), help="In pence.")
@click.option("--plan", help="The plan to buy, in place of an amount.")
@click.option("--return-url", help="Where the customer ends.  [default: CHECKOUT_RETURN_URL]")
@click.option("--request-key", help="The same key is the same top-up.")
@click.pass_obj
def topup_command(
    signals: StopSignals,
    org_id: UUID,
    amount_pence: int | None,
    plan: str | None,
    return_url: str | None,
    request_key: str | None,
) -> None:
    """Start a checkout and print the page to pay on."""
    if (amount_pence is None) == (plan is None):
        raise click.UsageError("Name either an --amount or a --plan.")
    topup = TopupRequest(
        org_id=org_id,
        amount_pence=amount_pence,
        plan=plan,
        return_url=return_url,
        request_key=request_key,
    )
    settings = load_settings()
    with connect(signals) as connection:
        try:
            answer = asyncio.run(_start(connection, settings, topup))
        except StripeFailure as exc:
            raise Failure(_explain(exc)) from None
    if not answer["success"]:
        raise Failure(answer["message"])
    click.echo(answer["checkout_url"])


async def _start(
    connection: psycopg.Connection, settings: Settings, topup: TopupRequest
) -> dict[str, Any]:
    async def call(query: LiteralString, /, *args: Any) -> Any:
        [(answer,)] = connection.execute(query, args).fetchall()
        return answer

    async with stripe_client(settings) as client:
        return await start_checkout(call, client, topup, settings.checkout_return_url)


def _explain(exc: StripeFailure) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in exc.facts.items())
    if exc.retryable:
        return f"Stripe didn't answer as it should: run the command again ({facts})."
    return f"Stripe refused the request ({facts})."
