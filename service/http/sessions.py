"""POST /wallet/session and /wallet/sign-out: a browser keeps the token, where no script reads it.

The page that signs customers in hands their token over in a form. Only it may, or our
own page: anybody else could sign a customer in to a wallet that isn't theirs.
"""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qsl

from aiohttp import web

from .answers import Refusal
from .body import as_text, read_body
from .keys import SETTINGS
from .origins import PAGE_PATH, cross_site, is_from, own_path, own_url, require_same_origin
from .tenants import COOKIE, read_tenant

MAX_FORM_BYTES = 32 * 1024
MAX_FORM_FIELDS = 20

# A browser drops a cookie of more than 4096 bytes, name and attributes included, silently.
MAX_COOKIE_BYTES = 3900


async def open_session(request: web.Request) -> web.Response:
    if not is_from(request, own_url(request, "/"), request.app[SETTINGS].sign_in_url):
        raise cross_site()
    form = _read_form(await read_body(request, MAX_FORM_BYTES))
    token = form.get("access_token", "").strip()
    tenant = await read_tenant(request, token)
    if len(token) > MAX_COOKIE_BYTES:
        raise Refusal(
            400,
            "invalid_request",
            f"access_token: Input should have at most {MAX_COOKIE_BYTES} characters for a cookie.",
        )
    response = _redirect(_place_on_page(request, form.get("return_to", "")))
    response.set_cookie(
        COOKIE,
        token,
        max_age=max(1, int(tenant.expires_at - time.time())),
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )
    return response


async def close_session(request: web.Request) -> web.Response:
    require_same_origin(request)
    response = _redirect(request.app[SETTINGS].sign_in_url or own_path(request, PAGE_PATH))
    response.del_cookie(COOKIE, path="/", secure=_is_https(request), httponly=True, samesite="Lax")
    return response


async def show_page_instead(request: web.Request) -> web.Response:
    """GET /"""
    return _redirect(own_path(request, PAGE_PATH))


def _read_form(body: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(as_text(body), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
        )
    except ValueError:
        raise Refusal(400, "invalid_form", "The body is not a form.") from None


def _place_on_page(request: web.Request, wanted: str) -> str:
    """Where on the page to go, and nowhere else."""
    page = own_path(request, PAGE_PATH)
    return wanted if re.fullmatch(re.escape(page) + r"(\?[!-~]*)?", wanted) else page


def _is_https(request: web.Request) -> bool:
    return (request.app[SETTINGS].public_url or "").startswith("https:")


def _redirect(location: str) -> web.Response:
    return web.Response(status=303, headers={"Location": location})
