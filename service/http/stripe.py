"""POST /api/webhooks/stripe: Stripe's events on their way into the wallet.

200 means that the wallet is right or that the event is none of our business;
400 and 413 that it isn't Stripe's, or isn't an event; anything else that Stripe
shall deliver it again.
"""

from __future__ import annotations

import time

from aiohttp import web
from stripe import SignatureVerificationError, WebhookSignature

from .answers import Refusal
from .body import as_text, read_body
from .functions import Failures, call_function
from .keys import SETTINGS
from .outcomes import respond

TOLERANCE_SECONDS = 300

FAILURES = Failures(
    misuse="WL010",
    misuse_error="invalid_event",
    unreadable_error="invalid_json",
    unreadable_message="The body is not JSON that can be stored.",
    unavailable_message="The event was not processed: deliver it again.",
)


async def receive_stripe_event(request: web.Request) -> web.Response:
    event = authenticate(
        await read_body(request),
        request.headers.getall("Stripe-Signature", []),
        request.app[SETTINGS].webhook_secrets,
    )
    answer = await call_function(
        request, FAILURES, "select wallet.process_stripe_event(%s::jsonb)", event
    )
    return respond(request, answer, "event_id")


def authenticate(body: bytes, headers: list[str], secrets: tuple[str, ...]) -> str:
    """The body as text, once one of the secrets has proved that Stripe sent it."""
    unsigned = Refusal(
        400, "invalid_signature", "The Stripe-Signature header doesn't fit the body."
    )
    # The verifier itself fails on a header that isn't ASCII.
    if len(headers) != 1 or not headers[0].isascii():
        raise unsigned
    text = as_text(body)
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
