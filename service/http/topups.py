"""POST /api/wallet/topups: the page on which a customer pays for a top-up.

A backend asks for an organization that it names, a customer for their own. 200 has the
address of the page; 4xx is the caller's to correct; after 5xx the same request can be
sent again, and a session that Stripe has made already is found again.
"""

from __future__ import annotations

from functools import partial
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ..stripe_api.checkout import (
    MISUSE_CLASS,
    Begin,
    Pence,
    StripeFailure,
    TopupRequest,
    begin_topup,
    complete_checkout,
)
from .answers import Refusal
from .body import as_model, read_body
from .functions import Failures, refusal
from .keys import DATABASE, LOG_FIELDS, SETTINGS, STRIPE, VERIFIER
from .origins import PAGE_PATH, own_url
from .tenants import Tenant, requires_tenant
from .tokens import requires_token, sends_token
from .wallet import respond

FAILURES = Failures(
    misuse=MISUSE_CLASS,
    misuse_error="invalid_request",
    unreadable_error="invalid_request",
    unreadable_message="The body has a text that can't be stored.",
    unavailable_message="Nothing was started: send the request again.",
)

BEGIN_OWN_TOPUP: LiteralString = """
    select wallet.begin_own_topup(
        p_amount_pence => %s::bigint, p_plan => %s, p_request_key => %s, p_return_url => %s
    )
"""

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


class OwnTopup(BaseModel):
    """What a customer may ask for: who they are, the token says."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    amount_pence: Pence | None = None
    plan: str | None = None
    request_key: str | None = None


async def start_topup(request: web.Request) -> web.StreamResponse:
    if sends_token(request) or VERIFIER not in request.app:
        return await requires_token(_start_for_backend)(request)
    return await requires_tenant(_start_own)(request)


async def _start_for_backend(request: web.Request) -> web.Response:
    topup = as_model(await read_body(request), TopupRequest)
    request[LOG_FIELDS]["orgId"] = str(topup.org_id)
    return_url = request.app[SETTINGS].checkout_return_url
    begin = partial(begin_topup, request.app[DATABASE].call, topup, return_url)
    return await _start(request, topup.org_id, begin)


async def _start_own(request: web.Request, tenant: Tenant) -> web.Response:
    wish = as_model(await read_body(request), OwnTopup)
    return_url = _return_url(request, tenant)

    async def begin() -> dict[str, Any]:
        answer: dict[str, Any] = await request.app[DATABASE].call_as(
            tenant.claims,
            BEGIN_OWN_TOPUP,
            wish.amount_pence,
            wish.plan,
            wish.request_key,
            return_url,
        )
        return answer

    return await _start(request, tenant.org_id, begin)


def _return_url(request: web.Request, tenant: Tenant) -> str:
    """Who has our cookie is on our page; who sends a token may have one of their own."""
    elsewhere = None if tenant.has_cookie else request.app[SETTINGS].checkout_return_url
    return elsewhere or own_url(request, PAGE_PATH)


async def _start(request: web.Request, org_id: UUID, begin: Begin) -> web.Response:
    client = request.app.get(STRIPE)
    if client is None:
        raise Refusal(503, "not_configured", "Set STRIPE_SECRET_KEY to use this.")
    try:
        answer = await complete_checkout(request.app[DATABASE].call, client, org_id, begin)
    except StripeFailure as exc:
        request[LOG_FIELDS] |= exc.facts
        raise _failure(exc) from None
    except (psycopg.Error, TimeoutError) as exc:
        raise refusal(request, FAILURES, exc) from None
    if not answer["success"]:
        return respond(request, answer)
    request[LOG_FIELDS] |= {
        "topupId": answer["topup_id"],
        "amountPence": answer["amount_pence"],
    }
    return web.json_response({key: answer[key] for key in ANSWERED})


def _failure(exc: StripeFailure) -> Refusal:
    if exc.retryable:
        return Refusal(502, "stripe_unavailable", "Stripe didn't answer: send the request again.")
    return Refusal(502, "stripe_refused", "Stripe refused the request: see the service's log.")
