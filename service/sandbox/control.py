"""The control API under /_sandbox/: what Stripe, banks and networks do without being asked.

JSON in and out. Errors are Stripe's own, and those about calls are Vapi's.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import cards, vapi
from .call import Call
from .errors import CardError, StripeError
from .events import StripeObject
from .faults import Fault
from .resources import (
    checkout_sessions,
    disputes,
    early_fraud_warnings,
    payment_intents,
    payment_methods,
    refunds,
)
from .sandbox import SANDBOX, Sandbox
from .webhooks import Disturbance

PREFIX = "/_sandbox"


class Body(BaseModel):
    """The fields of a request; all of them may be left out."""

    model_config = ConfigDict(extra="forbid")


class Payment(Body):
    """By card, or by a bank debit, which is settled later."""

    card: str = "4242424242424242"
    method: Literal["card", "bank_debit"] = "card"


class Outcome(Body):
    succeeded: bool = True


class NewDispute(Body):
    amount: int | None = None
    reason: str = "fraudulent"
    withdraw: bool = True


class Closing(Body):
    status: Literal["won", "lost", "warning_closed"] = "won"


class Refusal(Body):
    """Why the card is declined from now on; none, and it is good again."""

    decline_code: str | None = "insufficient_funds"


class NewCardDetails(Body):
    exp_month: int = Field(default=11, ge=1, le=12)
    exp_year: int = 2040
    last4: str = Field(default="4242", pattern=r"^\d{4}$")


class Release(Body):
    order: Literal["created", "reversed", "shuffled"] = "created"


class Clock(Body):
    seconds: int = Field(default=0, ge=0)


Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[web.Request, Sandbox], Awaitable[Any]]


@dataclass(frozen=True)
class Action:
    """What happens to an object of Stripe's."""

    path: str
    kind: str
    perform: Callable[[Call, StripeObject, Any], StripeObject]
    body: type[Body] = Body


def pay_session(call: Call, session: StripeObject, payment: Payment) -> StripeObject:
    if payment.method == "bank_debit":
        return checkout_sessions.pay_by_bank_debit(call, session)
    card = cards.find(payment.card)
    if card is None:
        raise StripeError("Your card number is incorrect.", code="incorrect_number")
    return checkout_sessions.pay(call, session, card)


def authenticate_session(call: Call, session: StripeObject, outcome: Outcome) -> StripeObject:
    return checkout_sessions.authenticate(call, session, passed=outcome.succeeded)


def settle_session(call: Call, session: StripeObject, outcome: Outcome) -> StripeObject:
    return checkout_sessions.settle(call, session, succeeded=outcome.succeeded)


def authenticate_intent(call: Call, intent: StripeObject, outcome: Outcome) -> StripeObject:
    return payment_intents.finish_authentication(call, intent, passed=outcome.succeeded)


def settle_intent(call: Call, intent: StripeObject, outcome: Outcome) -> StripeObject:
    return payment_intents.settle(call, intent, succeeded=outcome.succeeded)


def decline_card(call: Call, payment_method: StripeObject, refusal: Refusal) -> StripeObject:
    code = refusal.decline_code
    if code is not None and code not in cards.DECLINES:
        raise StripeError(f"decline_code must be one of {', '.join(map(str, cards.DECLINES))}.")
    call.store.set_private(payment_method["id"], declines=code)
    return payment_method


def update_card(call: Call, payment_method: StripeObject, new: NewCardDetails) -> StripeObject:
    """The bank has sent a new card."""
    before = {name: payment_method["card"][name] for name in new.model_dump()}
    call.change(payment_method, card={**payment_method["card"], **new.model_dump()})
    call.announce("payment_method.automatically_updated", payment_method, {"card": before})
    return payment_method


def open_dispute(call: Call, intent: StripeObject, new: NewDispute) -> StripeObject:
    return disputes.open_dispute(call, _charge(call, intent), **new.model_dump())


def add_warning(call: Call, intent: StripeObject, _: Body) -> StripeObject:
    return early_fraud_warnings.add(call, _charge(call, intent))


def _charge(call: Call, intent: StripeObject) -> StripeObject:
    if intent["status"] != "succeeded":
        raise StripeError(f"This PaymentIntent ({intent['id']}) has no successful charge.")
    return call.find("charge", intent["latest_charge"])


def withdraw_dispute(call: Call, dispute: StripeObject, _: Body) -> StripeObject:
    return disputes.withdraw_funds(call, dispute)


def reinstate_dispute(call: Call, dispute: StripeObject, _: Body) -> StripeObject:
    return disputes.reinstate_funds(call, dispute)


def close_dispute(call: Call, dispute: StripeObject, closing: Closing) -> StripeObject:
    return disputes.close(call, dispute, closing.status)


def succeed_refund(call: Call, refund: StripeObject, _: Body) -> StripeObject:
    return refunds.succeed(call, refund)


def fail_refund(call: Call, refund: StripeObject, _: Body) -> StripeObject:
    return refunds.fail(call, refund)


def cancel_refund(call: Call, refund: StripeObject, _: Body) -> StripeObject:
    return refunds.fail(call, refund, status="canceled")


def resend_event(call: Call, event: StripeObject, _: Body) -> StripeObject:
    call.webhooks.resend(event["id"])
    return event


ACTIONS = (
    Action("/checkout/sessions/{id}/pay", checkout_sessions.KIND, pay_session, Payment),
    Action(
        "/checkout/sessions/{id}/authenticate",
        checkout_sessions.KIND,
        authenticate_session,
        Outcome,
    ),
    Action("/checkout/sessions/{id}/settle", checkout_sessions.KIND, settle_session, Outcome),
    Action(
        "/payment_intents/{id}/authenticate", payment_intents.KIND, authenticate_intent, Outcome
    ),
    Action("/payment_intents/{id}/settle", payment_intents.KIND, settle_intent, Outcome),
    Action("/payment_intents/{id}/dispute", payment_intents.KIND, open_dispute, NewDispute),
    Action("/payment_intents/{id}/early_fraud_warning", payment_intents.KIND, add_warning),
    Action("/payment_methods/{id}/decline", payment_methods.KIND, decline_card, Refusal),
    Action("/payment_methods/{id}/update", payment_methods.KIND, update_card, NewCardDetails),
    Action("/disputes/{id}/withdraw", disputes.KIND, withdraw_dispute),
    Action("/disputes/{id}/reinstate", disputes.KIND, reinstate_dispute),
    Action("/disputes/{id}/close", disputes.KIND, close_dispute, Closing),
    Action("/refunds/{id}/succeed", refunds.KIND, succeed_refund),
    Action("/refunds/{id}/fail", refunds.KIND, fail_refund),
    Action("/refunds/{id}/cancel", refunds.KIND, cancel_refund),
    Action("/events/{id}/resend", "event", resend_event),
)


async def add_fault(request: web.Request, sandbox: Sandbox) -> Any:
    sandbox.faults.waiting.append(await _read(request, Fault))
    return sandbox.faults.show()


async def show_faults(request: web.Request, sandbox: Sandbox) -> Any:
    return sandbox.faults.show()


async def clear_faults(request: web.Request, sandbox: Sandbox) -> Any:
    sandbox.faults.waiting.clear()
    return sandbox.faults.show()


async def show_requests(request: web.Request, sandbox: Sandbox) -> Any:
    return list(sandbox.requests)


async def show_objects(request: web.Request, sandbox: Sandbox) -> Any:
    """All objects of a kind, the oldest first; `?customer=cus_…` and the like narrow it down."""
    condition, values = "true", []
    for name, value in request.query.items():
        condition += " and json_extract(body, ?) = ?"
        values += [f"$.{name}", value]
    found = sandbox.store.select(request.match_info["kind"], condition, values, order="number")
    return {"count": len(found), "data": found}


async def forget_keys(request: web.Request, sandbox: Sandbox) -> Any:
    """Idempotency keys, as Stripe may do after 24 hours."""
    return {"forgotten": sandbox.keys.forget_all()}


async def put_clock_forward(request: web.Request, sandbox: Sandbox) -> Any:
    """Sessions expire and keys are pruned, as time would do it."""
    clock = await _read(request, Clock)
    with sandbox.transaction():
        sandbox.store.put_clock_forward(clock.seconds)
        checkout_sessions.expire_due(sandbox.call())
    return {"now": sandbox.store.now()}


async def disturb_webhooks(request: web.Request, sandbox: Sandbox) -> Any:
    sandbox.webhooks.disturbances.append(await _read(request, Disturbance))
    return [each.model_dump() for each in sandbox.webhooks.disturbances]


async def hold_webhooks(request: web.Request, sandbox: Sandbox) -> Any:
    """Deliver nothing until they are released."""
    sandbox.webhooks.held = True
    return {"held": True}


async def release_webhooks(request: web.Request, sandbox: Sandbox) -> Any:
    """Deliver what was held, one after the other, and from now on everything again."""
    release = await _read(request, Release)
    statuses = await sandbox.webhooks.deliver_now(release.order)
    sandbox.webhooks.held = False
    sandbox.webhooks.wake()
    return {"held": False, "statuses": statuses}


async def show_deliveries(request: web.Request, sandbox: Sandbox) -> Any:
    return sandbox.webhooks.deliveries()


async def make_vapi_calls(request: web.Request, sandbox: Sandbox) -> Any:
    return await vapi.make_calls(sandbox, await _read(request, vapi.NewCalls))


async def change_vapi_call(request: web.Request, sandbox: Sandbox) -> Any:
    change = await _read(request, vapi.Change)
    return vapi.change_call(sandbox, request.match_info["id"], change)


async def report_vapi_call(request: web.Request, sandbox: Sandbox) -> Any:
    return await vapi.report_call(sandbox, request.match_info["id"])


async def set_vapi_server(request: web.Request, sandbox: Sandbox) -> Any:
    server = await _read(request, vapi.Server)
    vapi.set_server(sandbox, server)
    return {"url": server.url}


def add_routes(app: web.Application) -> None:
    for action in ACTIONS:
        app.router.add_post(PREFIX + action.path, _answering(_performing(action)))
    for method, path, handler in (
        ("POST", "/faults", add_fault),
        ("GET", "/faults", show_faults),
        ("DELETE", "/faults", clear_faults),
        ("GET", "/requests", show_requests),
        ("GET", "/objects/{kind}", show_objects),
        ("DELETE", "/idempotency_keys", forget_keys),
        ("POST", "/clock", put_clock_forward),
        ("POST", "/webhooks/disturb", disturb_webhooks),
        ("POST", "/webhooks/hold", hold_webhooks),
        ("POST", "/webhooks/release", release_webhooks),
        ("GET", "/webhooks/deliveries", show_deliveries),
        ("POST", "/vapi/calls", make_vapi_calls),
        ("PATCH", "/vapi/calls/{id}", change_vapi_call),
        ("POST", "/vapi/calls/{id}/report", report_vapi_call),
        ("PUT", "/vapi/server", set_vapi_server),
    ):
        app.router.add_route(method, PREFIX + path, _answering(handler))


def _performing(action: Action) -> Handler:
    async def perform(request: web.Request, sandbox: Sandbox) -> Any:
        body = await _read(request, action.body)
        try:
            with sandbox.transaction():
                call = sandbox.call()
                return action.perform(call, call.find(action.kind, request.match_info["id"]), body)
        except CardError as exc:
            # What the customer sees, rather than a mistake of the caller's.
            return exc.body

    return perform


def _answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        # A page in somebody's browser has no business here.
        if "Origin" in request.headers:
            raise web.HTTPForbidden
        try:
            return web.json_response(await handler(request, request.app[SANDBOX]))
        except (StripeError, vapi.VapiError) as exc:
            return web.json_response(exc.body, status=exc.status)

    return handle


async def _read(request: web.Request, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(await request.read() or b"{}")
    except ValidationError as exc:
        raise StripeError(
            json.dumps(exc.errors(include_url=False, include_context=False))
        ) from None
