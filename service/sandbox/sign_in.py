"""The page on which a customer signs in: the application around the wallet, played by the sandbox.

It hands the wallet page a token, as any application does: a form that posts it to /wallet/session.
Whoever can open this page is signed in, so it answers to this machine alone, and to no other name.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from html import escape
from uuid import UUID

import jwt
from aiohttp import web

from .html import page

SIGN_IN_PATH = "/sign-in"
TOKEN_SECONDS = 3600

USER_ID = UUID("00000000-0000-4000-8000-000000000002")
USER_EMAIL = "demo@example.com"

EXPLANATION = (
    "<small>This page stands in for your application, which knows its users. Only"
    " <code>wallet run</code> has it, and only for this machine.</small>"
)


@dataclass(frozen=True)
class HostApplication:
    """What an application knows whose customers come to the wallet page of this service."""

    service_url: str
    jwt_secret: str = field(repr=False)
    audience: str
    issuer: str | None = None
    # Of the customer; none, and the page asks for it.
    org_id: UUID | None = None

    @property
    def wallet_page(self) -> str:
        return self.service_url + "/wallet"

    def token(self, org_id: UUID) -> str:
        now = int(time.time())
        claims = {
            "sub": str(USER_ID),
            "email": USER_EMAIL,
            "role": "authenticated",
            "aud": self.audience,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "app_metadata": {"org_id": str(org_id)},
        }
        if self.issuer:
            claims |= {"iss": self.issuer}
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")


HOST_APPLICATION = web.AppKey("HOST_APPLICATION", HostApplication)


def add_routes(app: web.Application, host: HostApplication) -> None:
    app[HOST_APPLICATION] = host
    app.router.add_get(SIGN_IN_PATH, show_sign_in)


async def show_sign_in(request: web.Request) -> web.Response:
    """Who was on the way to a page gets there by itself; who has just signed out stays so."""
    _refuse_other_names(request)
    host = request.app[HOST_APPLICATION]
    return_to = request.query.get("return_to", "")
    wish = request.query.get("org_id", "")
    org_id = host.org_id or _parse(wish)
    if org_id is None:
        return _ask(return_to, wish)
    return _hand_over(host, org_id, return_to, at_once=bool(return_to or wish))


def _refuse_other_names(request: web.Request) -> None:
    """A name that a stranger's page has pointed at this machine would let that page read tokens."""
    if not re.fullmatch(r"(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?", request.host):
        raise web.HTTPForbidden


def _parse(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _ask(return_to: str, wish: str) -> web.Response:
    alert = '<p role="alert">That is not an id: it looks like a UUID.</p>' if wish else ""
    return page(
        "Sign in",
        f"<h1>Sign in</h1><p>Whose wallet do you want to see?</p>{alert}<form>"
        f"{_hidden('return_to', return_to)}"
        "<label>Organization id <input name=org_id required autocomplete=off autofocus"
        f' spellcheck=false value="{escape(wish, quote=True)}"></label>'
        f"<button class=main>Open the wallet</button></form>{EXPLANATION}",
    )


def _hand_over(
    host: HostApplication, org_id: UUID, return_to: str, *, at_once: bool
) -> web.Response:
    action = escape(host.wallet_page + "/session", quote=True)
    return page(
        "Sign in",
        f"<h1>Sign in</h1><p>As {USER_EMAIL}.</p>"
        f'<form method=post action="{action}">{_hidden("access_token", host.token(org_id))}'
        f"{_hidden('return_to', return_to)}"
        f"<button class=main>Open the wallet</button></form>{EXPLANATION}",
        sends_to=[host.service_url],
        script="document.forms[0].submit()" if at_once else "",
        # The service takes a token only from a page that says where it comes from.
        referrer="strict-origin",
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type=hidden name={name} value="{escape(value, quote=True)}">' if value else ""
