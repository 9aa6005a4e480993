"""https://docs.stripe.com/api/charges"""

from __future__ import annotations

from typing import Any

from .. import events
from ..call import Call
from ..cards import Decline
from ..events import StripeObject
from ..forms import text
from .lists import LIST, page

KIND = "charge"
LIST_CHARGES = LIST | {"customer": text, "payment_intent": text}


def retrieve(call: Call, charge_id: str) -> StripeObject:
    return call.find(KIND, charge_id)


def list_charges(call: Call) -> StripeObject:
    filters = {name: call.params.get(name) for name in ("customer", "payment_intent")}
    return page(call, KIND, "/v1/charges", filters)


def add_succeeded(call: Call, intent: StripeObject, payment_method: StripeObject) -> StripeObject:
    charge = _add(call, intent, payment_method)
    call.announce("charge.succeeded", charge)
    return charge


def add_failed(
    call: Call, intent: StripeObject, payment_method: StripeObject, decline: Decline
) -> StripeObject:
    charge = _add(
        call,
        intent,
        payment_method,
        amount_captured=0,
        balance_transaction=None,
        captured=False,
        failure_code=decline.code,
        failure_message=decline.message,
        outcome={
            "advice_code": decline.advice_code,
            "network_status": "declined_by_network",
            "reason": decline.decline_code or decline.code,
            "risk_level": "normal",
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined",
        },
        paid=False,
        status="failed",
    )
    call.announce("charge.failed", charge)
    return charge


def _add(
    call: Call, intent: StripeObject, payment_method: StripeObject, **fields: Any
) -> StripeObject:
    kind = payment_method["type"]
    return call.add(
        {
            **events.charge(
                "", intent["amount"], payment_intent_id=intent["id"], currency=intent["currency"]
            ),
            "billing_details": payment_method["billing_details"],
            "created": call.now,
            "customer": intent["customer"],
            "description": intent["description"],
            # What the charge of a payment intent has, it has from there.
            "metadata": intent["metadata"],
            "payment_method": payment_method["id"],
            "payment_method_details": {kind: payment_method[kind], "type": kind},
            "receipt_email": intent["receipt_email"],
            **fields,
        }
    )
