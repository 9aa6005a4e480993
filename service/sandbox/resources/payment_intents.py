"""https://docs.stripe.com/api/payment_intents"""

from __future__ import annotations

from typing import Any

from .. import cards, events
from ..call import Call, merged
from ..cards import AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED, Decline
from ..errors import CardError, StripeError
from ..events import StripeObject
from ..forms import boolean, either, integer, metadata, one_of, text, url
from . import charges, disputes, early_fraud_warnings, payment_methods
from .lists import LIST, page
from .money import check_amount, check_currency

KIND = "payment_intent"

SETUP_FUTURE_USAGE = one_of("on_session", "off_session")
OFF_SESSION = either(boolean, one_of("one_off", "recurring"))
CREATE = {
    "amount": integer,
    "currency": text,
    "customer": text,
    "payment_method": text,
    "payment_method_types": [one_of("card", "bacs_debit")],
    "automatic_payment_methods": {
        "enabled": boolean,
        "allow_redirects": one_of("always", "never"),
    },
    "capture_method": one_of("automatic", "automatic_async"),
    "confirm": boolean,
    "off_session": OFF_SESSION,
    "error_on_requires_action": boolean,
    "return_url": url,
    "setup_future_usage": SETUP_FUTURE_USAGE,
    "description": text,
    "metadata": metadata,
    "receipt_email": text,
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
}
CONFIRM = {
    "payment_method": text,
    "off_session": OFF_SESSION,
    "error_on_requires_action": boolean,
    "return_url": url,
    "setup_future_usage": SETUP_FUTURE_USAGE,
}
CANCEL = {
    "cancellation_reason": one_of("duplicate", "fraudulent", "requested_by_customer", "abandoned")
}
LIST_INTENTS = LIST | {"customer": text}

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)


def create(call: Call) -> StripeObject:
    call.require("amount", "currency")
    params = call.params
    confirm = params.get("confirm", False)
    if "off_session" in params and not confirm:
        raise StripeError(
            "The parameter `off_session` cannot be passed when creating a PaymentIntent unless"
            " `confirm` is set to true.",
            param="off_session",
        )
    if params.get("off_session") and params.get("setup_future_usage"):
        raise StripeError(
            "You cannot provide `setup_future_usage` for an off-session payment.",
            param="setup_future_usage",
        )
    customer_id = params.get("customer")
    if customer_id:
        call.find("customer", customer_id, "customer")
    payment_method = _payment_method(call, customer_id)
    if confirm and payment_method is None:
        raise StripeError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. Update"
            " the PaymentIntent with a payment method and then confirm it again.",
            code="payment_intent_unexpected_state",
        )

    currency = check_currency(params["currency"])
    intent = add(
        call,
        amount=check_amount(params["amount"], currency),
        currency=currency,
        customer=customer_id,
        metadata=merged({}, params.get("metadata", {})),
        payment_method=payment_method["id"] if payment_method else None,
        status="requires_confirmation" if payment_method else "requires_payment_method",
        payment_method_types=params.get("payment_method_types", ["card"]),
        capture_method=params.get("capture_method", "automatic_async"),
        **{
            name: params.get(name)
            for name in (
                "automatic_payment_methods",
                "description",
                "receipt_email",
                "setup_future_usage",
                "statement_descriptor",
                "statement_descriptor_suffix",
            )
        },
    )
    if confirm and payment_method:
        return attempt(call, intent, payment_method, off_session=_off_session(call))
    return intent


def retrieve(call: Call, intent_id: str) -> StripeObject:
    return call.find(KIND, intent_id)


def list_intents(call: Call) -> StripeObject:
    return page(call, KIND, "/v1/payment_intents", {"customer": call.params.get("customer")})


def confirm(call: Call, intent_id: str) -> StripeObject:
    intent = call.find(KIND, intent_id)
    if intent["status"] not in CONFIRMABLE:
        raise _unexpected_state(intent, "confirm", "")
    if "payment_method" not in call.params:
        call.params["payment_method"] = intent["payment_method"]
    payment_method = _payment_method(call, intent["customer"])
    if payment_method is None:
        raise _unexpected_state(intent, "confirm", " It's missing a payment method.")
    if "setup_future_usage" in call.params:
        intent["setup_future_usage"] = call.params["setup_future_usage"]
    return attempt(call, intent, payment_method, off_session=_off_session(call))


def cancel(call: Call, intent_id: str) -> StripeObject:
    intent = call.find(KIND, intent_id)
    if intent["status"] not in CANCELABLE:
        raise _unexpected_state(
            intent,
            "cancel",
            " Only a PaymentIntent with one of the following statuses may be canceled:"
            f" {', '.join(CANCELABLE)}.",
        )
    return close(call, intent, call.params.get("cancellation_reason"))


def add(call: Call, *, amount: int, currency: str, **fields: Any) -> StripeObject:
    intent = {
        **events.payment_intent("", amount, currency=currency, status=fields["status"]),
        "created": call.now,
        **fields,
    }
    intent["client_secret"] = f"{intent['id']}_secret_{events.new_id('', 24)[1:]}"
    call.add(intent)
    call.announce("payment_intent.created", intent)
    return intent


def attempt(
    call: Call,
    intent: StripeObject,
    payment_method: StripeObject,
    *,
    off_session: bool = False,
    authenticated: bool = False,
) -> StripeObject:
    """Charge the payment method, as far as it lets us."""
    intent["payment_method"] = payment_method["id"]
    if payment_method["type"] == "bacs_debit":
        call.change(intent, status="processing", next_action=None)
        call.announce("payment_intent.processing", intent)
        return intent
    refusal = _refusal(call, payment_method, off_session=off_session, authenticated=authenticated)
    action_possible = not off_session and not call.params.get("error_on_requires_action")
    if refusal is AUTHENTICATION_REQUIRED and action_possible:
        call.change(intent, status="requires_action", next_action={"type": "use_stripe_sdk"})
        call.announce("payment_intent.requires_action", intent)
        return intent
    if refusal:
        raise decline(call, intent, payment_method, refusal)
    return succeed(call, intent, payment_method)


def finish_authentication(call: Call, intent: StripeObject, *, passed: bool) -> StripeObject:
    """The customer has answered to the bank, or failed to."""
    if intent["status"] != "requires_action":
        raise _unexpected_state(intent, "authenticate", "")
    payment_method = call.find("payment_method", intent["payment_method"])
    if not passed:
        raise decline(call, intent, payment_method, AUTHENTICATION_FAILED)
    return attempt(call, intent, payment_method, authenticated=True)


def settle(call: Call, intent: StripeObject, *, succeeded: bool) -> StripeObject:
    """The end of a payment that takes days."""
    if intent["status"] != "processing":
        raise _unexpected_state(intent, "settle", "")
    payment_method = call.find("payment_method", intent["payment_method"])
    if succeeded:
        return succeed(call, intent, payment_method)
    decline(call, intent, payment_method, cards.INSUFFICIENT_FUNDS)
    return intent


def succeed(call: Call, intent: StripeObject, payment_method: StripeObject) -> StripeObject:
    charge = charges.add_succeeded(call, intent, payment_method)
    call.change(
        intent,
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )
    call.announce("payment_intent.succeeded", intent)
    if intent["setup_future_usage"] and intent["customer"] and not payment_method["customer"]:
        payment_methods.attach_to(call, payment_method, intent["customer"])
    if intent["setup_future_usage"] == "off_session":
        call.store.set_private(payment_method["id"], set_up=True)
    card = payment_methods.card_of(call, payment_method)
    if card and card.then in ("dispute", "inquiry"):
        disputes.open_dispute(call, charge, withdraw=card.then == "dispute")
    elif card and card.then == "early_fraud_warning":
        early_fraud_warnings.add(call, charge)
    return intent


def decline(
    call: Call, intent: StripeObject, payment_method: StripeObject, why: Decline
) -> CardError:
    """The payment waits for another payment method. The error is for the caller to raise."""
    charge = charges.add_failed(call, intent, payment_method, why)
    error = {
        "charge": charge["id"],
        "code": why.code,
        "decline_code": why.decline_code,
        "advice_code": why.advice_code,
        "payment_method": payment_method,
    }
    last_payment_error = {**error, "message": why.message, "type": "card_error"}
    call.change(
        intent,
        status="requires_payment_method",
        latest_charge=charge["id"],
        last_payment_error={
            name: value for name, value in last_payment_error.items() if value is not None
        },
        next_action=None,
        payment_method=None,
    )
    call.announce("payment_intent.payment_failed", intent)
    return CardError(why.message, **error, payment_intent=intent)


def close(call: Call, intent: StripeObject, reason: str | None) -> StripeObject:
    call.change(
        intent,
        status="canceled",
        canceled_at=call.now,
        cancellation_reason=reason,
        next_action=None,
    )
    call.announce("payment_intent.canceled", intent)
    return intent


def _off_session(call: Call) -> bool:
    return bool(call.params.get("off_session"))


def _payment_method(call: Call, customer_id: str | None) -> StripeObject | None:
    payment_method_id = call.params.get("payment_method")
    if not payment_method_id:
        return None
    return payment_methods.usable(
        call, payment_method_id, customer_id, off_session=_off_session(call)
    )


def _refusal(
    call: Call, payment_method: StripeObject, *, off_session: bool, authenticated: bool
) -> Decline | None:
    private = call.store.private(payment_method["id"])
    if private.get("declines"):
        reason = cards.DECLINES[private["declines"]]
        return None if authenticated and reason is AUTHENTICATION_REQUIRED else reason
    card = cards.BY_NUMBER[private["card"]]
    set_up = private.get("set_up") or card.number in cards.SET_UP_ALREADY
    exempt = card.authentication == "unless set up" and off_session and set_up
    if card.authentication and not exempt and not authenticated:
        return AUTHENTICATION_REQUIRED
    return card.decline


def _unexpected_state(intent: StripeObject, verb: str, hint: str) -> StripeError:
    return StripeError(
        f"You cannot {verb} this PaymentIntent because it has a status of"
        f" {intent['status']}.{hint}",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )
