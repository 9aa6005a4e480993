"""Who may call the endpoints of the backend: whoever knows API_TOKEN."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from .answers import Refusal, error_response
from .keys import LOG_FIELDS, SETTINGS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def requires_token(handler: Handler) -> Handler:
    """The handler, for requests with `Authorization: Bearer` and the token alone."""

    async def check_token(request: web.Request) -> web.StreamResponse:
        token = request.app[SETTINGS].api_token
        if token is None:
            raise Refusal(503, "not_configured", "Set API_TOKEN to use this.")
        expected = f"Bearer {token.get_secret_value()}".encode()
        given = ",".join(request.headers.getall("Authorization", []))
        if hmac.compare_digest(given.encode(errors="surrogateescape"), expected):
            return await handler(request)

        request[LOG_FIELDS]["error"] = "unauthorized"
        response = error_response(
            401, "unauthorized", "Send the header Authorization: Bearer with the API token."
        )
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    return check_token
