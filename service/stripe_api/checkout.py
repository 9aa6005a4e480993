"""A top-up on its way to Stripe's hosted page: SQL says what comes next, and this does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, LiteralString, Protocol
from uuid import UUID

import psycopg
from aiohttp import ClientError
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field
from stripe import StripeClient, StripeError, StripeObject

# A customer looks at a blank page meanwhile.
PATIENCE_SECONDS = 25
CONFLICT_PAUSE_SECONDS = 0.2

MISUSE_CLASS = "WL"

BEGIN_TOPUP: LiteralString = """
    select wallet.begin_topup(
        p_org_id => %s, p_amount_pence => %s::bigint, p_plan => %s, p_request_key => %s,
        p_return_url => %s, p_user_id => %s, p_user_email => %s
    )
"""
ATTACH_CUSTOMER: LiteralString = "select wallet.attach_stripe_customer(%s, %s)"
ATTACH_SESSION: LiteralString = "select wallet.attach_checkout_session(%s, %s, %s)"


class Call(Protocol):
    """Runs `select wallet.some_function(...)` in a transaction of its own; its answer."""

    async def __call__(self, query: LiteralString, /, *args: Any) -> Any: ...


Pence = Annotated[int, Field(ge=-(2**63), lt=2**63)]

# What begin_topup answers to a wish, each time that it is asked.
Begin = Callable[[], Awaitable[dict[str, Any]]]


class TopupRequest(BaseModel):
    """What a caller asks for. Whether it may be had is for `begin_topup` to say."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    org_id: UUID
    amount_pence: Pence | None = None
    plan: str | None = None
    request_key: str | None = None
    return_url: str | None = None
    user_id: str | None = None
    user_email: str | None = None


class StripeFailure(Exception):
    """Stripe gave no session. Where it is `retryable`, the same request may be made again.

    `facts` tell what happened, without Stripe's own sentence, which may quote our key.
    """

    def __init__(self, facts: dict[str, Any], *, retryable: bool) -> None:
        super().__init__(facts)
        self.facts = facts
        self.retryable = retryable


async def start_checkout(
    call: Call, client: StripeClient, topup: TopupRequest, return_url: str | None
) -> dict[str, Any]:
    """The top-up with the page to pay on, or SQL's refusal."""
    return await complete_checkout(
        call, client, topup.org_id, partial(begin_topup, call, topup, return_url)
    )


async def complete_checkout(
    call: Call, client: StripeClient, org_id: UUID, begin: Begin
) -> dict[str, Any]:
    """The same for an organization whose top-up is begun in another way, such as by itself.

    Each step may be repeated, by anybody: the answer is the same session.
    """
    answer = await begin()
    if answer.get("next") == "create_customer":
        customer = await _post(client.v1.customers.create_async, answer["request"])
        await call(ATTACH_CUSTOMER, org_id, customer["id"])
        answer = await begin()
    if answer.get("next") == "create_session":
        session = await _post(client.v1.checkout.sessions.create_async, answer["request"])
        answer = await _attach(call, org_id, answer["topup_id"], session)
    return answer


async def begin_topup(call: Call, topup: TopupRequest, return_url: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = await call(
        BEGIN_TOPUP,
        topup.org_id,
        topup.amount_pence,
        topup.plan,
        topup.request_key,
        topup.return_url or return_url,
        topup.user_id,
        topup.user_email,
    )
    return answer


async def _attach(call: Call, org_id: UUID, topup_id: str, session: StripeObject) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await call(
            ATTACH_SESSION, org_id, topup_id, Jsonb(session.to_dict(for_json=True))
        )
    except psycopg.Error as exc:
        if (exc.sqlstate or "").startswith(MISUSE_CLASS):
            facts = {"errorType": "UnusableSession", "problem": exc.diag.message_primary}
            raise StripeFailure(facts, retryable=False) from None
        raise
    return answer


async def _post(
    create: Callable[..., Awaitable[StripeObject]], request: dict[str, Any]
) -> StripeObject:
    """What Stripe made of a request, now or when it first had it."""
    options = {"idempotency_key": request["idempotency_key"]}
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    return await create(params=request["params"], options=options)
                except StripeError as exc:
                    # The same request is being made right now: its answer will be ours as well.
                    if exc.http_status != HTTPStatus.CONFLICT:
                        raise
                await asyncio.sleep(CONFLICT_PAUSE_SECONDS)
    except (StripeError, ClientError, TimeoutError) as exc:
        raise _failure(exc) from None


def _failure(exc: Exception) -> StripeFailure:
    status = getattr(exc, "http_status", None)
    facts = {
        "errorType": type(exc).__name__,
        "stripeStatus": status,
        "stripeCode": getattr(exc, "code", None),
        "stripeParam": getattr(exc, "param", None),
        "stripeRequestId": getattr(exc, "request_id", None),
    }
    unanswered = status is None or status >= 500 or status == HTTPStatus.TOO_MANY_REQUESTS
    return StripeFailure({k: v for k, v in facts.items() if v}, retryable=unanswered)
