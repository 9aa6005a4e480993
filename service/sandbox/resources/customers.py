"""https://docs.stripe.com/api/customers"""

from __future__ import annotations

from .. import events
from ..call import Call, merged
from ..events import StripeObject
from ..forms import metadata, text

CREATE = {
    "name": text,
    "email": text,
    "phone": text,
    "description": text,
    "metadata": metadata,
}


def create(call: Call) -> StripeObject:
    customer = call.add(
        events.customer(
            created=call.now,
            name=call.params.get("name"),
            email=call.params.get("email"),
            phone=call.params.get("phone"),
            description=call.params.get("description"),
            metadata=merged({}, call.params.get("metadata", {})),
        )
    )
    call.announce("customer.created", customer)
    return customer


def retrieve(call: Call, customer_id: str) -> StripeObject:
    return call.find("customer", customer_id)
