"""https://docs.stripe.com/api/webhook_endpoints"""

from __future__ import annotations

from .. import events
from ..call import Call, merged
from ..events import StripeObject
from ..forms import boolean, metadata, text, url
from ..webhooks import ENDPOINT
from .lists import page

CREATE = {
    "url": url,
    "enabled_events": [text],
    "api_version": text,
    "description": text,
    "metadata": metadata,
    "connect": boolean,
}
UPDATE = {
    "url": url,
    "enabled_events": [text],
    "description": text,
    "disabled": boolean,
    "metadata": metadata,
}


def create(call: Call) -> StripeObject:
    call.require("url", "enabled_events")
    secret = events.new_id("whsec", 32)
    endpoint = call.add(
        events.webhook_endpoint(
            created=call.now,
            url=call.params["url"],
            enabled_events=call.params["enabled_events"],
            api_version=call.params.get("api_version"),
            description=call.params.get("description"),
            metadata=merged({}, call.params.get("metadata", {})),
        ),
        {"secret": secret},
    )
    # Shown this once.
    return {**endpoint, "secret": secret}


def retrieve(call: Call, endpoint_id: str) -> StripeObject:
    return call.find(ENDPOINT, endpoint_id)


def list_endpoints(call: Call) -> StripeObject:
    return page(call, ENDPOINT, "/v1/webhook_endpoints")


def update(call: Call, endpoint_id: str) -> StripeObject:
    endpoint = call.find(ENDPOINT, endpoint_id)
    changes = dict(call.params)
    if "disabled" in changes:
        changes["status"] = "disabled" if changes.pop("disabled") else "enabled"
    if "metadata" in changes:
        changes["metadata"] = merged(endpoint["metadata"], changes["metadata"])
    return call.change(endpoint, **changes)


def delete(call: Call, endpoint_id: str) -> StripeObject:
    call.find(ENDPOINT, endpoint_id)
    call.store.delete(endpoint_id)
    return {"id": endpoint_id, "object": ENDPOINT, "deleted": True}


def set_local(call: Call, endpoint_url: str, secret: str) -> None:
    """The endpoint that the sandbox was started with: all events, at this address now."""
    endpoint = call.store.get(ENDPOINT, LOCAL_ID)
    if endpoint is None:
        call.add(
            events.webhook_endpoint(
                created=call.now, url=endpoint_url, enabled_events=["*"], endpoint_id=LOCAL_ID
            )
        )
    else:
        call.change(endpoint, url=endpoint_url)
    call.store.set_private(LOCAL_ID, secret=secret)


LOCAL_ID = "we_sandboxlocal"
