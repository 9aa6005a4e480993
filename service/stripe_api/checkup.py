"""Does Stripe take our key, and does it send what we need? For `wallet doctor`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from stripe import PermissionError, StripeClient, WebhookEndpoint

from ..findings import Finding, failed, name_some, ok, warning
from ..http.app import STRIPE_WEBHOOK_PATH
from ..sandbox.resources.webhook_endpoints import LOCAL_ID
from .endpoint import API_VERSION, list_endpoints
from .failures import STRIPE_FAILURES, explain_failure

REGISTER = "Run `wallet register-webhook --url {url}`."


async def check_key(client: StripeClient) -> tuple[Finding, float | None]:
    """Whether Stripe takes the key, and by how many seconds its clock is ahead of ours."""
    before = time.time()
    try:
        account = await client.v1.accounts.retrieve_current_async()
    except PermissionError as exc:
        text = "Stripe takes the key, a restricted one that can't read the account"
        return ok("stripe", text), _seconds_ahead(exc.headers, before)
    except STRIPE_FAILURES as exc:
        advice = "Without it nobody can pay in, and nothing is recharged."
        return failed("stripe", explain_failure(exc), advice), None
    headers = account.last_response.headers if account.last_response else None
    return ok("stripe", f"account {account.id}"), _seconds_ahead(headers, before)


def _seconds_ahead(headers: Mapping[str, str] | None, before: float) -> float | None:
    date = next((v for k, v in (headers or {}).items() if k.lower() == "date"), None)
    if date is None:
        return None
    middle = (before + time.time()) / 2
    # It has whole seconds, cut off.
    return parsedate_to_datetime(date).timestamp() + 0.5 - middle


async def check_endpoint(
    client: StripeClient, url: str | None, event_types: list[str] | None
) -> list[Finding]:
    try:
        endpoints = await list_endpoints(client)
    except STRIPE_FAILURES as exc:
        return [failed("endpoint", explain_failure(exc), "Then run `wallet doctor` again.")]
    ours = [each for each in endpoints if _is_ours(each, url)]
    enabled = [each for each in ours if each.status == "enabled"]
    register = REGISTER.format(url=url or f"https://your.host{STRIPE_WEBHOOK_PATH}")
    if not ours:
        where = url or f"a URL that ends with {STRIPE_WEBHOOK_PATH}"
        return [failed("endpoint", f"Stripe has none with {where}.", register)]
    if not enabled:
        names = name_some([each.id for each in ours])
        return [failed("endpoint", f"{names} is disabled.", register)]
    return [_judge(endpoint, event_types) for endpoint in enabled]


def _is_ours(endpoint: WebhookEndpoint, url: str | None) -> bool:
    if url:
        return endpoint.url == url
    return urlsplit(endpoint.url).path == STRIPE_WEBHOOK_PATH


def _judge(endpoint: WebhookEndpoint, event_types: list[str] | None) -> Finding:
    name = f"{endpoint.id} ({endpoint.url})"
    register = REGISTER.format(url=endpoint.url)
    if endpoint.id == LOCAL_ID:
        return ok("endpoint", f"{name}, the sandbox's own")
    if event_types is None:
        return warning(
            "endpoint", f"{name}: its events can't be compared.", "Mend the database first."
        )
    sent = set(endpoint.enabled_events)
    missing = sorted(set(event_types) - sent) if "*" not in sent else []
    useless = sorted(sent - set(event_types))
    if missing:
        return failed("endpoint", f"{name} doesn't send {name_some(missing)}.", register)
    if useless:
        return warning("endpoint", f"{name} also sends {name_some(useless)}.", register)
    if endpoint.api_version != API_VERSION:
        version = endpoint.api_version or "the account's default"
        return warning(
            "endpoint",
            f"{name} has API version {version}, not {API_VERSION}.",
            register.replace("--url", "--replace --url"),
        )
    return ok("endpoint", f"{name}, {len(sent)} event types, API version {API_VERSION}")
