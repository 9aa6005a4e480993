"""The webhook endpoint at Stripe: exactly the events that are handled, in one API version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

import stripe
from stripe import StripeClient, WebhookEndpoint

from ..sandbox.resources.webhook_endpoints import LOCAL_ID

DESCRIPTION = "pgwallet"

# The handlers are written and tested against this one, whatever the account's default is.
API_VERSION: str = stripe.api_version

Action = Literal["created", "updated", "unchanged"]


class EndpointRefused(Exception):
    """The endpoint can't be registered like this; the message says what to do."""


@dataclass(frozen=True)
class Registration:
    endpoint_id: str
    action: Action
    disabled: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()


async def list_endpoints(client: StripeClient) -> list[WebhookEndpoint]:
    """All of them; an account has a handful."""
    page = await client.v1.webhook_endpoints.list_async(params={"limit": 100})
    return [endpoint async for endpoint in page.auto_paging_iter()]


def differences(endpoint: WebhookEndpoint, event_types: list[str]) -> Any:
    """The parameters of the update that it needs; empty when it needs none."""
    changes: dict[str, Any] = {}
    if set(endpoint.enabled_events) != set(event_types):
        changes["enabled_events"] = event_types
    if endpoint.status != "enabled":
        changes["disabled"] = False
    return changes


async def register(
    client: StripeClient,
    url: str,
    event_types: list[str],
    keep_secret: Callable[[str], None],
    *,
    replace: bool = False,
) -> Registration:
    """Create the endpoint of this URL, or update it.

    `keep_secret` gets the secret of a new one, which Stripe tells this once, before
    anything else is done. With `replace` there is always a new one, and the others of
    the URL are disabled.
    """
    known = [each for each in await list_endpoints(client) if each.url == url]
    if any(each.id == LOCAL_ID for each in known):
        raise EndpointRefused("The sandbox of `wallet run` sends its events there already.")
    enabled = [each for each in known if each.status == "enabled"]
    fitting = [each for each in known if each.api_version == API_VERSION]

    if fitting and not replace:
        endpoint = next((each for each in fitting if each in enabled), fitting[0])
        changes = differences(endpoint, event_types)
        if changes:
            await client.v1.webhook_endpoints.update_async(endpoint.id, params=changes)
        others = tuple(each.id for each in enabled if each.id != endpoint.id)
        return Registration(endpoint.id, "updated" if changes else "unchanged", duplicates=others)
    if enabled and not replace:
        [endpoint, *_] = enabled
        raise EndpointRefused(
            f"{endpoint.id} has the API version {endpoint.api_version or 'of the account'}, where"
            f" pgwallet needs {API_VERSION}, and Stripe can't change it. With --replace a new"
            " endpoint of the same URL is created and this one disabled."
        )

    params: Any = {
        "url": url,
        "enabled_events": event_types,
        "api_version": API_VERSION,
        "description": DESCRIPTION,
    }
    created = await client.v1.webhook_endpoints.create_async(
        params=params, options={"idempotency_key": str(uuid4())}
    )
    if not created.secret:
        raise EndpointRefused(f"Stripe has created {created.id} and told no secret of it.")
    keep_secret(created.secret)
    for endpoint in enabled:
        await client.v1.webhook_endpoints.update_async(endpoint.id, params={"disabled": True})
    return Registration(created.id, "created", disabled=tuple(each.id for each in enabled))
