"""POST /api/webhooks/stripe: Stripe's events on their way into the wallet.

200 means that the wallet is right or that the event is none of our business;
400 and 413 that it isn't Stripe's, or isn't an event; anything else that Stripe
shall deliver it again.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psycopg
from aiohttp import web
from stripe import SignatureVerificationError, WebhookSignature

from .answers import Refusal, error_response
from .keys import DATABASE, LOG_FIELDS, SETTINGS

# Stripe's largest events are a twentieth of this.
MAX_BODY_BYTES = 256 * 1024
TOLERANCE_SECONDS = 300

SETTLED = frozenset({"processed", "duplicate", "ignored", "pending"})

NOT_A_STRIPE_EVENT = "WL010"
STATEMENT_TOO_COMPLEX = "54001"
DATA_EXCEPTION_CLASS = "22"

LOGGED = {
    "event_id": "eventId",
    "event_type": "eventType",
    "org_id": "orgId",
    "outcome": "outcome",
    "duplicate": "duplicate",
    "amount_pence": "amountPence",
    "balance_before": "balanceBefore",
    "balance_after": "balanceAfter",
    "error": "error",
}


async def receive_stripe_event(request: web.Request) -> web.Response:
    event = authenticate(
        await read_body(request),
        request.headers.getall("Stripe-Signature", []),
        request.app[SETTINGS].webhook_secrets,
    )
    answer = await process(request, event)
    return respond(request, answer)


async def read_body(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(400, "encoded_body", "Send the body without Content-Encoding.")
    too_large = Refusal(413, "body_too_large", f"The body may have at most {MAX_BODY_BYTES} bytes.")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large
    try:
        async with asyncio.timeout(request.app[SETTINGS].request_timeout_seconds):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large from None
    except (web.RequestPayloadError, TimeoutError):
        raise Refusal(400, "incomplete_body", "The body didn't arrive, or broke off.") from None


def authenticate(body: bytes, headers: list[str], secrets: tuple[str, ...]) -> str:
    """The body as text, once one of the secrets has proved that Stripe sent it."""
    unsigned = Refusal(
        400, "invalid_signature", "The Stripe-Signature header doesn't fit the body."
    )
    # The verifier itself fails on a header that isn't ASCII.
    if len(headers) != 1 or not headers[0].isascii():
        raise unsigned
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "not_utf8", "The body is not UTF-8.") from None
    if not any(_is_signed(text, headers[0], secret) for secret in secrets):
        raise unsigned

    # The verifier's own tolerance has no bound for times in the future.
    now = time.time()
    if not now - TOLERANCE_SECONDS <= _signed_at(headers[0]) <= now + TOLERANCE_SECONDS:
        raise Refusal(
            400,
            "signature_out_of_time",
            f"The signature is more than {TOLERANCE_SECONDS} seconds away from now.",
        )
    return text


def _is_signed(text: str, header: str, secret: str) -> bool:
    try:
        WebhookSignature.verify_header(text, header, secret)
    except SignatureVerificationError:
        return False
    return True


def _signed_at(header: str) -> int:
    """The time that the verifier has included in what it verified: the first `t`."""
    items = (item.split("=") for item in header.split(","))
    return int(next(item[1] for item in items if item[0] == "t"))


async def process(request: web.Request, event: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await request.app[DATABASE].call(
            "select wallet.process_stripe_event(%s::jsonb)", event
        )
    except (psycopg.Error, TimeoutError) as exc:
        request[LOG_FIELDS]["errorType"] = type(exc).__name__
        if isinstance(exc, psycopg.Error) and exc.sqlstate:
            request[LOG_FIELDS]["sqlstate"] = exc.sqlstate
        raise refusal(exc) from None
    return answer


def refusal(exc: psycopg.Error | TimeoutError) -> Refusal:
    """Is it the event that PostgreSQL can't take, or PostgreSQL itself that can't?"""
    if isinstance(exc, TimeoutError):
        return unavailable()
    sqlstate = exc.sqlstate or ""
    if sqlstate == NOT_A_STRIPE_EVENT:
        message = exc.diag.message_primary or "The body is not a Stripe event."
        return Refusal(400, "invalid_event", message)
    unreadable = (
        sqlstate.startswith(DATA_EXCEPTION_CLASS)
        or sqlstate == STATEMENT_TOO_COMPLEX
        # Raised by psycopg itself: a null character can't be sent at all.
        or (not sqlstate and isinstance(exc, psycopg.DataError))
    )
    if unreadable:
        return Refusal(400, "invalid_json", "The body is not JSON that can be stored.")
    return unavailable()


def unavailable() -> Refusal:
    return Refusal(503, "database_unavailable", "The event was not processed: deliver it again.")


def respond(request: web.Request, answer: dict[str, Any]) -> web.Response:
    request[LOG_FIELDS] |= {
        LOGGED[key]: value for key, value in answer.items() if key in LOGGED and value is not None
    }
    if answer["outcome"] in SETTLED:
        return web.json_response({"outcome": answer["outcome"], "event_id": answer["event_id"]})
    return error_response(500, answer["error"], answer["message"])
