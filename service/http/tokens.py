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
        if not request.app[SETTINGS].api_tokens:
            raise Refusal(503, "not_configured", "Set API_TOKEN to use this.")
        if not sends_token(request):
            raise unauthorized("Send the header Authorization: Bearer with the API token.")
        return await handler(request)

    return check_token


def sends_token(request: web.Request) -> bool:
    expected = [f"Bearer {token}" for token in request.app[SETTINGS].api_tokens]
    return _is_one_of(request.headers.getall("Authorization", []), expected)


def require_secret(given: list[str], expected: Iterable[str], advice: str) -> None:
    """Refuse unless exactly one value was given, and it is one of those expected."""
    if not _is_one_of(given, expected):
        raise unauthorized(advice)


def unauthorized(advice: str) -> Refusal:
    return Refusal(401, "unauthorized", advice, {"WWW-Authenticate": "Bearer"})


def _is_one_of(given: list[str], expected: Iterable[str]) -> bool:
    value = given[0].encode(errors="surrogateescape") if len(given) == 1 else b""
    return any(hmac.compare_digest(value, secret.encode()) for secret in expected)
