"""What went wrong at Stripe, in a sentence that never quotes a key."""

from __future__ import annotations

from aiohttp import ClientError
from stripe import APIConnectionError, AuthenticationError, PermissionError, StripeError

# What a call of the client's can raise.
STRIPE_FAILURES = (StripeError, ClientError, TimeoutError)


def explain_failure(exc: Exception) -> str:
    """Stripe's own sentences may quote our key, so they aren't repeated."""
    if isinstance(exc, AuthenticationError):
        return "Stripe doesn't accept STRIPE_SECRET_KEY: set it to a key that is in use."
    if isinstance(exc, PermissionError):
        return "STRIPE_SECRET_KEY is a restricted key that may not do this: give it the right to."
    if isinstance(exc, APIConnectionError) or not isinstance(exc, StripeError):
        return "Stripe can't be reached: try again, and look at the network."
    facts = {"status": exc.http_status, "code": exc.code, "request": exc.request_id}
    told = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"Stripe refused the request ({told})."
