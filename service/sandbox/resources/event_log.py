"""https://docs.stripe.com/api/events"""

from __future__ import annotations

from typing import Any

from ..call import Call
from ..errors import StripeError
from ..events import StripeObject
from ..forms import boolean, text
from .lists import LIST, page

LIST_EVENTS = LIST | {"type": text, "types": [text], "delivery_success": boolean}
MAX_TYPES = 20
KEPT_SECONDS = 30 * 24 * 3600

UNDELIVERED = "id in (select event_id from deliveries where state <> 'delivered')"


def retrieve(call: Call, event_id: str) -> StripeObject:
    return call.webhooks.shown(call.find("event", event_id))


def list_events(call: Call) -> StripeObject:
    """Of the last 30 days."""
    conditions: list[str] = ["json_extract(body, '$.created') > ?"]
    values: list[Any] = [call.now - KEPT_SECONDS]
    one, several = call.params.get("type"), call.params.get("types")
    if one and several:
        raise StripeError("You may only specify one of these parameters: type, types.")
    if several and len(several) > MAX_TYPES:
        raise StripeError(f"You may only pass up to {MAX_TYPES} types.", param="types")
    if one:
        conditions.append("json_extract(body, '$.type') glob ?")
        values.append(one)
    elif several:
        conditions.append(f"json_extract(body, '$.type') in ({', '.join('?' * len(several))})")
        values += several
    delivered = call.params.get("delivery_success")
    if delivered is not None:
        conditions.append(f"not ({UNDELIVERED})" if delivered else UNDELIVERED)
    found = page(call, "event", "/v1/events", None, " and ".join(conditions), values)
    found["data"] = [call.webhooks.shown(event) for event in found["data"]]
    return found
