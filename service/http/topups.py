"""POST /api/wallet/topups: the page on which a customer pays for a top-up.

200 has the address of the page; 4xx is the caller's to correct; after 5xx the same
request can be sent again, and a session that Stripe has made already is found again.
"""

from __future__ import annotations

from typing import Any

import psycopg
from aiohttp import web

from ..stripe_api.checkout import MISUSE_CLASS, StripeFailure, TopupRequest, start_checkout
from .answers import Refusal
from .body import as_model, read_body
from .functions import Failures, refusal
from .keys import DATABASE, LOG_FIELDS, SETTINGS, STRIPE

FAILURES = Failures(
    misuse=MISUSE_CLASS,
    misuse_error="invalid_request",
    unreadable_error="invalid_request",
    unreadable_message="The body has a text that can't be stored.",
    unavailable_message="Nothing was started: send the request again.",
)

ANSWERED = (
    "topup_id",
    "checkout_url",
    "checkout_session_id",
    "expires_at",
    "price_pence",
    "amount_pence",
    "bonus_pence",
    "currency",
)

STATUS_OF_REFUSAL = {
    "organization_not_found": 404,
    "amount_out_of_range": 422,
    "currency_not_offered": 422,
    "plan_not_found": 422,
}


async def create_topup(request: web.Request) -> web.Response:
    topup = as_model(await read_body(request), TopupRequest)
    request[LOG_FIELDS] |= {"orgId": str(topup.org_id)}
    answer = await start(request, topup)
    return respond(request, answer)


async def start(request: web.Request, topup: TopupRequest) -> dict[str, Any]:
    client = request.app.get(STRIPE)
    if client is None:
        raise Refusal(503, "not_configured", "Set STRIPE_SECRET_KEY to use this.")
    return_url = request.app[SETTINGS].checkout_return_url
    try:
        return await start_checkout(request.app[DATABASE].call, client, topup, return_url)
    except StripeFailure as exc:
        request[LOG_FIELDS] |= exc.facts
        raise failure(exc) from None
    except (psycopg.Error, TimeoutError) as exc:
        raise refusal(request, FAILURES, exc) from None


def failure(exc: StripeFailure) -> Refusal:
    if exc.retryable:
        return Refusal(502, "stripe_unavailable", "Stripe didn't answer: send the request again.")
    return Refusal(502, "stripe_refused", "Stripe refused the request: see the service's log.")


def respond(request: web.Request, answer: dict[str, Any]) -> web.Response:
    if not answer["success"]:
        request[LOG_FIELDS]["error"] = answer["error"]
        return web.json_response(answer, status=STATUS_OF_REFUSAL.get(answer["error"], 409))
    request[LOG_FIELDS] |= {
        "topupId": answer["topup_id"],
        "amountPence": answer["amount_pence"],
    }
    return web.json_response({key: answer[key] for key in ANSWERED})
