"""https://docs.stripe.com/api/radar/early_fraud_warnings"""

from __future__ import annotations

from .. import events
from ..call import Call
from ..events import StripeObject
from ..forms import text
from .lists import LIST, page

KIND = "radar.early_fraud_warning"
LIST_WARNINGS = LIST | {"charge": text, "payment_intent": text}


def retrieve(call: Call, warning_id: str) -> StripeObject:
    return call.find(KIND, warning_id)


def list_warnings(call: Call) -> StripeObject:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(call, KIND, "/v1/radar/early_fraud_warnings", filters)


def add(call: Call, charge: StripeObject) -> StripeObject:
    warning = call.add(
        events.early_fraud_warning(
            created=call.now, charge_id=charge["id"], payment_intent_id=charge["payment_intent"]
        )
    )
    call.announce("radar.early_fraud_warning.created", warning)
    return warning
