"""Automatic recharges: what SQL wants asked of Stripe, asked, and told back unjudged.

No transaction is open while Stripe is asked. Whatever ends this process in between,
the lease ends too, and SQL hands the attempt out again under the same idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from aiohttp import ClientError
from psycopg.types.json import Jsonb
from stripe import RequestOptions, StripeClient, StripeError, StripeObject

from ..database.pool import Database
from ..logs import fields_of

log = structlog.get_logger()

BATCH_SIZE = 10
LEASE_SECONDS = 60
# For all that one attempt asks of Stripe: its lease shall outlast that and the report.
STRIPE_SECONDS = 30

TOLD_OF_AN_ERROR = ("code", "decline_code", "advice_code", "message", "payment_intent")

Attempt = dict[str, Any]
Result = dict[str, Any]


async def settle_recharges(database: Database, stripe: StripeClient, worker: str) -> int:
    """Take a batch of attempts one step further; how many there were."""
    claimed = await database.call(
        "select wallet.claim_recharges(%s, %s, %s)", worker, BATCH_SIZE, LEASE_SECONDS
    )
    attempts: list[Attempt] = claimed["recharges"]
    await asyncio.gather(*(_settle(database, stripe, attempt) for attempt in attempts))
    return len(attempts)


async def _settle(database: Database, stripe: StripeClient, attempt: Attempt) -> None:
    fields = {
        "orgId": attempt["org_id"],
        "attemptId": attempt["attempt_id"],
        "action": attempt["action"],
    }
    try:
        result = await _ask_stripe(stripe, attempt)
        answer = await database.call(
            "select wallet.record_recharge_result(%s, %s, %s)",
            attempt["org_id"],
            attempt["attempt_id"],
            Jsonb(result),
        )
    except Exception:
        # The others of the batch go on; this one is claimed again after its lease.
        log.exception("recharge_not_recorded", **fields)
    else:
        log.info("recharge_recorded", state=answer.get("state"), **fields | fields_of(answer))


async def _ask_stripe(stripe: StripeClient, attempt: Attempt) -> Result:
    try:
        async with asyncio.timeout(STRIPE_SECONDS):
            return await ACTIONS[attempt["action"]](stripe, attempt)
    except StripeError as exc:
        return {"error": _describe(exc)}
    except (ClientError, TimeoutError):
        return {"error": {"http_status": None, "type": "api_connection_error"}}


async def _charge(stripe: StripeClient, attempt: Attempt) -> Result:
    intent = await stripe.v1.payment_intents.create_async(
        params=cast(Any, attempt["params"]), options=_options(attempt)
    )
    return {"payment_intent": _plain(intent)}


async def _cancel(stripe: StripeClient, attempt: Attempt) -> Result:
    intent = await stripe.v1.payment_intents.cancel_async(
        attempt["payment_intent_id"], options=_options(attempt)
    )
    return {"payment_intent": _plain(intent)}


async def _look_up(stripe: StripeClient, attempt: Attempt) -> Result:
    page = await stripe.v1.payment_intents.list_async(params=cast(Any, attempt["params"]))
    intents = [_plain(intent) async for intent in page.auto_paging_iter()]
    return {"payment_intents": intents}


ACTIONS: dict[str, Callable[[StripeClient, Attempt], Awaitable[Result]]] = {
    "charge": _charge,
    "cancel": _cancel,
    "look_up": _look_up,
}


def _options(attempt: Attempt) -> RequestOptions:
    # When to ask again is for SQL to say.
    return {"idempotency_key": attempt["idempotency_key"], "max_network_retries": 0}


def _plain(thing: StripeObject) -> dict[str, Any]:
    return thing.to_dict(for_json=True)


def _describe(exc: StripeError) -> dict[str, Any]:
    """Stripe's error, or what stands for it where the answer wasn't Stripe's."""
    body = exc.json_body
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        answered = exc.http_status is not None
        error = {"type": "api_error" if answered else "api_connection_error"}
    told = {key: error[key] for key in TOLD_OF_AN_ERROR if key in error}
    return {"http_status": exc.http_status, "type": error.get("type"), **told}
