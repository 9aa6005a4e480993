"""Lists as Stripe pages them: the newest first, from one object to the next.

https://docs.stripe.com/api/pagination
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..call import Call
from ..errors import StripeError
from ..events import StripeObject
from ..forms import integer, moment, text

LIST = {
    "limit": integer,
    "starting_after": text,
    "ending_before": text,
    "created": moment,
}
DEFAULT_LIMIT = 10
MAX_LIMIT = 100
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(
    call: Call,
    kind: str,
    url: str,
    filters: Mapping[str, Any] | None = None,
    condition: str = "true",
    parameters: list[Any] | None = None,
) -> StripeObject:
    """The page that the parameters ask for, of the objects whose fields are as `filters` say."""
    conditions, values = [condition], list(parameters or [])
    for name, value in (filters or {}).items():
        if value is not None:
            conditions.append(f"json_extract(body, '$.{name}') = ?")
            values.append(value)
    _add_created(call, conditions, values)
    backwards = _add_cursor(call, kind, conditions, values)

    limit = call.params.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        raise StripeError(
            "This value must be greater than or equal to 1."
            if limit < 1
            else f"Limit exceeds {MAX_LIMIT}.",
            code="parameter_invalid_integer",
            param="limit",
        )
    found = call.store.select(
        kind,
        " and ".join(f"({each})" for each in conditions),
        values,
        order="number asc" if backwards else "number desc",
        limit=limit + 1,
    )
    data = found[:limit]
    if backwards:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": url}


def _add_created(call: Call, conditions: list[str], values: list[Any]) -> None:
    created = call.params.get("created")
    bounds = created if isinstance(created, dict) else {"": created} if created else {}
    for name, value in bounds.items():
        conditions.append(f"json_extract(body, '$.created') {COMPARISONS.get(name, '=')} ?")
        values.append(value)


def _add_cursor(call: Call, kind: str, conditions: list[str], values: list[Any]) -> bool:
    """Whether the page ends before an object, rather than starting after one."""
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after and before:
        raise StripeError("You can only specify one of these: starting_after, ending_before.")
    for name, object_id, comparison in (
        ("starting_after", after, "<"),
        ("ending_before", before, ">"),
    ):
        if object_id:
            call.find(kind, object_id, name)
            conditions.append(f"number {comparison} ?")
            values.append(call.store.number(kind, object_id))
    return before is not None
