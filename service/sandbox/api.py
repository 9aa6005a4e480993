"""The API: which resource answers a request, and everything that is around each of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from . import events, forms
from .call import Call
from .errors import CardError, StripeError
from .events import StripeObject
from .expand import expand
from .faults import Fault, leave_unanswered
from .forms import Shape
from .idempotency import Answer, fingerprint
from .resources import (
    accounts,
    charges,
    checkout_sessions,
    customers,
    disputes,
    early_fraud_warnings,
    event_log,
    payment_intents,
    payment_methods,
    refunds,
    webhook_endpoints,
)
from .resources.lists import LIST
from .sandbox import SANDBOX, Sandbox


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: Callable[..., StripeObject]
    shape: Shape | None = None


ROUTES = (
    Route("GET", "/v1/account", accounts.retrieve),
    Route("POST", "/v1/customers", customers.create, customers.CREATE),
    Route("GET", "/v1/customers/{id}", customers.retrieve),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        payment_methods.list_of_customer,
        payment_methods.LIST_OF_CUSTOMER,
    ),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods/{payment_method}",
        payment_methods.retrieve_of_customer,
    ),
    Route(
        "GET",
        "/v1/payment_methods",
        payment_methods.list_of_customer,
        payment_methods.LIST_OF_CUSTOMER,
    ),
    Route("GET", "/v1/payment_methods/{id}", payment_methods.retrieve),
    Route(
        "POST",
        "/v1/payment_methods/{id}/attach",
        payment_methods.attach,
        payment_methods.ATTACH,
    ),
    Route("POST", "/v1/payment_methods/{id}/detach", payment_methods.detach),
    Route("POST", "/v1/checkout/sessions", checkout_sessions.create, checkout_sessions.CREATE),
    Route(
        "GET",
        "/v1/checkout/sessions",
        checkout_sessions.list_sessions,
        checkout_sessions.LIST_SESSIONS,
    ),
    Route("GET", "/v1/checkout/sessions/{id}", checkout_sessions.retrieve),
    Route("POST", "/v1/checkout/sessions/{id}/expire", checkout_sessions.expire),
    Route("POST", "/v1/payment_intents", payment_intents.create, payment_intents.CREATE),
    Route("GET", "/v1/payment_intents", payment_intents.list_intents, payment_intents.LIST_INTENTS),
    Route("GET", "/v1/payment_intents/{id}", payment_intents.retrieve),
    Route(
        "POST",
        "/v1/payment_intents/{id}/confirm",
        payment_intents.confirm,
        payment_intents.CONFIRM,
    ),
    Route(
        "POST", "/v1/payment_intents/{id}/cancel", payment_intents.cancel, payment_intents.CANCEL
    ),
    Route("GET", "/v1/charges", charges.list_charges, charges.LIST_CHARGES),
    Route("GET", "/v1/charges/{id}", charges.retrieve),
    Route("POST", "/v1/refunds", refunds.create, refunds.CREATE),
    Route("GET", "/v1/refunds", refunds.list_refunds, refunds.LIST_REFUNDS),
    Route("GET", "/v1/refunds/{id}", refunds.retrieve),
    Route("GET", "/v1/disputes", disputes.list_disputes, disputes.LIST_DISPUTES),
    Route("GET", "/v1/disputes/{id}", disputes.retrieve),
    Route("POST", "/v1/disputes/{id}/close", disputes.accept),
    Route(
        "GET",
        "/v1/radar/early_fraud_warnings",
        early_fraud_warnings.list_warnings,
        early_fraud_warnings.LIST_WARNINGS,
    ),
    Route("GET", "/v1/radar/early_fraud_warnings/{id}", early_fraud_warnings.retrieve),
    Route("GET", "/v1/events", event_log.list_events, event_log.LIST_EVENTS),
    Route("GET", "/v1/events/{id}", event_log.retrieve),
    Route("POST", "/v1/webhook_endpoints", webhook_endpoints.create, webhook_endpoints.CREATE),
    Route("GET", "/v1/webhook_endpoints", webhook_endpoints.list_endpoints, LIST),
    Route("GET", "/v1/webhook_endpoints/{id}", webhook_endpoints.retrieve),
    Route("POST", "/v1/webhook_endpoints/{id}", webhook_endpoints.update, webhook_endpoints.UPDATE),
    Route("DELETE", "/v1/webhook_endpoints/{id}", webhook_endpoints.delete),
)


def add_routes(app: web.Application) -> None:
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _handler(route))
    app.router.add_route("*", "/v1/{rest:.*}", _unknown_url)


def _handler(route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return await _handle(request, route)
        except StripeError as exc:
            return _response(request, Answer(exc.status, exc.body))

    return handle


async def _unknown_url(request: web.Request) -> web.Response:
    message = (
        f"Unrecognized request URL ({request.method}: {request.path}). Please see"
        " https://stripe.com/docs or we can help at https://support.stripe.com/."
    )
    error = StripeError(message, status=404)
    return _response(request, Answer(error.status, error.body))


async def _handle(request: web.Request, route: Route) -> web.Response:
    authenticate(request.headers.get("Authorization", ""))
    pairs = await _pairs(request)
    sandbox = request.app[SANDBOX]
    # All POST requests accept keys, and only they.
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    call = sandbox.call(request_id=events.new_id("req", 14), idempotency_key=key)
    sandbox.note_request(request.method, request.path, key)

    fault = sandbox.faults.take(request.method, request.path)
    with sandbox.keys.claimed(key):
        await asyncio.sleep(fault.delay_seconds)
        if isinstance(fault.answer, str) and not fault.after_commit:
            return await leave_unanswered(request, fault.answer)
        answer = execute(sandbox, call, route, request, pairs, fault)
    if isinstance(fault.answer, str):
        return await leave_unanswered(request, fault.answer)
    return _response(request, answer, call.request_id, key)


def authenticate(authorization: str) -> None:
    """Any test key will do. A live key has no business here."""
    scheme, _, credentials = authorization.partition(" ")
    key = credentials.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise StripeError(
            "You did not provide an API key. You need to provide your API key in the"
            " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
            " YOUR_SECRET_KEY').",
            status=401,
        )
    if key.startswith(("sk_live_", "rk_live_")):
        raise StripeError("This is a sandbox: it takes test keys, never a live key.", status=401)
    if not key.startswith(("sk_test_", "rk_test_")):
        raise StripeError("Invalid API Key provided.", status=401)


async def _pairs(request: web.Request) -> list[tuple[str, str]]:
    encoded = request.query_string if request.method == "GET" else await request.text()
    return parse_qsl(encoded, keep_blank_values=True)


def execute(
    sandbox: Sandbox,
    call: Call,
    route: Route,
    request: web.Request,
    pairs: list[tuple[str, str]],
    fault: Fault,
) -> Answer:
    """One request in one transaction, together with its answer to the idempotency key."""
    key, path, printed = call.idempotency_key, request.path, fingerprint(pairs)
    if key and (saved := sandbox.keys.find(key, path, printed)):
        return saved

    params = forms.parse(pairs)
    paths = _texts(params.pop("expand", {}))
    call.params.update(forms.read(params, route.shape or {}))

    told = fault.error_answer()
    kept = told if fault.saved else None
    try:
        with sandbox.transaction():
            if told is None or fault.after_commit:
                made = _perform(call, route, list(request.match_info.values()), paths)
                kept, told = kept or made, told or made
            if key and kept:
                sandbox.keys.save(key, path, printed, kept)
    except StripeError as exc:
        told = Answer(exc.status, exc.body)
        if key and not exc.is_about_a_parameter:
            sandbox.keys.save(key, path, printed, told)
    return told


def _perform(call: Call, route: Route, ids: list[str], paths: list[str]) -> Answer:
    try:
        body = route.handler(call, *ids)
    except CardError as exc:
        return Answer(exc.status, exc.body)
    return Answer(200, expand(call.store, body, paths))


def _texts(values: Mapping[str, Any] | Any) -> list[str]:
    if not isinstance(values, dict):
        raise StripeError("Invalid array", param="expand")
    return [str(value) for value in values.values()]


def _response(
    request: web.Request, answer: Answer, request_id: str | None = None, key: str | None = None
) -> web.Response:
    headers = {
        "Request-Id": request_id or events.new_id("req", 14),
        "Stripe-Version": request.headers.get("Stripe-Version", events.API_VERSION),
    }
    if key:
        headers["Idempotency-Key"] = key
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    return web.json_response(answer.body, status=answer.status, headers=headers)
