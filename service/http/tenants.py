"""Who asks for a wallet: a customer with an access token, in a header or in a cookie."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from aiohttp import web

from .access_tokens import BadToken
from .answers import Refusal
from .functions import Failures, refusal
from .keys import DATABASE, LOG_FIELDS, VERIFIER
from .origins import require_same_origin
from .token_keys import KeysUnavailable
from .tokens import Handler, unauthorized

COOKIE = "wallet_session"

# As wallet.own_org_id() reads it: what else is a uuid to others names nobody.
ORG_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# A token may be valid longer than a clock counts.
FAR_FUTURE = 2**40

PRIVATE_PATHS = ("/api/wallet/", "/wallet/session", "/wallet/sign-out")
PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Cookie, Authorization",
}

FAILURES = Failures(
    misuse="WL",
    misuse_error="invalid_request",
    unreadable_error="invalid_request",
    unreadable_message="The request has a value that can't be stored.",
    unavailable_message="The wallet can't be reached: send the request again.",
)


@dataclass(frozen=True)
class Tenant:
    org_id: UUID
    claims: str = field(repr=False)  # of a verified token, as JSON
    expires_at: float
    has_cookie: bool


TenantHandler = Callable[[web.Request, Tenant], Awaitable[web.StreamResponse]]


def requires_tenant(handler: TenantHandler) -> Handler:
    """The handler, for customers whose token is genuine and names their organization."""

    async def check_tenant(request: web.Request) -> web.StreamResponse:
        return await handler(request, await identify(request))

    return check_tenant


async def identify(request: web.Request) -> Tenant:
    """By the bearer token if there is one, or else by the cookie, which needs more care."""
    if given := request.headers.getall("Authorization", []):
        scheme, _, token = given[0].partition(" ")
        if len(given) != 1 or scheme.lower() != "bearer":
            raise _no_token()
        return await read_tenant(request, token.strip())

    tenant = await read_tenant(request, _cookie(request), has_cookie=True)
    if request.method not in ("GET", "HEAD"):
        require_same_origin(request)
        if request.content_type != "application/json":
            raise Refusal(415, "not_json", "Send the body as application/json.")
    return tenant


async def read_tenant(request: web.Request, token: str, *, has_cookie: bool = False) -> Tenant:
    verifier = request.app.get(VERIFIER)
    if verifier is None:
        raise Refusal(503, "not_configured", "Set JWT_SECRET or JWT_JWKS_URL to use this.")
    try:
        claims = await verifier.verify(token)
    except BadToken as exc:
        request[LOG_FIELDS]["errorType"] = exc.reason
        raise _no_token() from None
    except KeysUnavailable:
        raise Refusal(
            503, "keys_unavailable", "Tokens can't be checked now: send the request again."
        ) from None

    app_metadata = claims.get("app_metadata")
    org_id = app_metadata.get("org_id") if isinstance(app_metadata, dict) else None
    if not isinstance(org_id, str) or not ORG_ID.fullmatch(org_id):
        raise Refusal(
            403, "no_organization", "The token names no organization in app_metadata.org_id."
        )
    request[LOG_FIELDS]["orgId"] = org_id.lower()
    expires_at = float(min(int(claims["exp"]), FAR_FUTURE))
    return Tenant(UUID(org_id), json.dumps(claims), expires_at, has_cookie)


async def has_session(request: web.Request) -> bool:
    """False where signing in would help."""
    try:
        await read_tenant(request, _cookie(request))
    except Refusal as exc:
        return exc.status != 401
    return True


async def call_as(
    request: web.Request, tenant: Tenant, query: LiteralString, *args: Any
) -> dict[str, Any]:
    """What a function answers to this tenant."""
    try:
        answer: dict[str, Any] = await request.app[DATABASE].call_as(tenant.claims, query, *args)
    except (psycopg.Error, TimeoutError) as exc:
        raise refusal(request, FAILURES, exc) from None
    return answer


async def keep_private(request: web.Request, response: web.StreamResponse) -> None:
    """No cache may hold what a customer was told, and no browser take it for something else."""
    resource = request.match_info.route.resource
    if resource and resource.canonical.startswith(PRIVATE_PATHS):
        response.headers.update(PRIVATE_HEADERS)


def _cookie(request: web.Request) -> str:
    """Two cookies of the name are none: one may be another site's of the same domain."""
    pairs = [pair.strip().partition("=") for pair in request.headers.get("Cookie", "").split(";")]
    tokens = [value for name, _, value in pairs if name == COOKIE]
    return tokens[0] if len(tokens) == 1 else ""


def _no_token() -> Refusal:
    return unauthorized("Send a valid access token: Authorization: Bearer, or sign in again.")
