"""The client of Stripe's API that every command and the worker use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stripe import AIOHTTPClient, StripeClient

from ..settings import Settings, SettingsError

# The package's own default is to wait 80 seconds.
TIMEOUT_SECONDS = 20

# Its default is 0. A retry repeats the idempotency key that every call of ours carries.
MAX_NETWORK_RETRIES = 2


@asynccontextmanager
async def stripe_client(
    settings: Settings, *, max_network_retries: int = MAX_NETWORK_RETRIES
) -> AsyncIterator[StripeClient]:
    """Stripe's client, closed at the end of the block."""
    if settings.stripe_secret_key is None:
        raise SettingsError("STRIPE_SECRET_KEY is not set.")
    base = settings.stripe_api_base
    http = AIOHTTPClient(timeout=TIMEOUT_SECONDS)
    try:
        yield StripeClient(
            settings.stripe_secret_key.get_secret_value(),
            base_addresses={"api": base} if base else {},
            max_network_retries=max_network_retries,
            http_client=http,
        )
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]
