"""Secrets that a request proves to know by naming them in a header."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from .answers import Refusal
from .keys import SETTINGS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def requires_token(handler: Handler) -> Handler:
    """The handler, for requests with `Authorization: Bearer` and API_TOKEN alone."""

    async def check_token(request: web.Request) -> web.StreamResponse:
        token = request.app[SETTINGS].api_token
        if token is None:
            raise Refusal(503, "not_configured", "Set API_TOKEN to use this.")
        require_secret(
            request.headers.getall("Authorization", []),
            [f"Bearer {token.get_secret_value()}"],
            "Send the header Authorization: Bearer with the API token.",
        )
        return await handler(request)

    return check_token


def require_secret(given: list[str], expected: Iterable[str], advice: str) -> None:
    """Refuse unless exactly one value was given, and it is one of those expected."""
    value = given[0].encode(errors="surrogateescape") if len(given) == 1 else b""
    if not any(hmac.compare_digest(value, secret.encode()) for secret in expected):
        raise Refusal(401, "unauthorized", advice, {"WWW-Authenticate": "Bearer"})
