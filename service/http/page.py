"""GET /wallet and /wallet/assets/{name}: the wallet page, which knows nothing of any wallet.

What it shows it asks for as its customer, at /api/wallet.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aiohttp import web
from yarl import URL

from .keys import SETTINGS
from .origins import PAGE_PATH, own_path
from .tenants import has_session

FOLDER = Path(__file__).resolve().parents[1] / "page"
ENTRANCE = "index.html"
CONTENT_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

# Nothing but its own files and answers, no script in the markup, and no frame around it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action {form_action}; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # With less, a browser would name no origin when the page posts.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Asset:
    content_type: str
    plain: bytes
    packed: bytes

    @classmethod
    def read(cls, path: Path) -> Asset:
        plain = path.read_bytes()
        return cls(CONTENT_TYPES[path.suffix], plain, gzip.compress(plain, mtime=0))

    def answer(self, request: web.Request, policy: str) -> web.Response:
        is_packed = takes_gzip(request.headers.get("Accept-Encoding", ""))
        response = web.Response(
            body=self.packed if is_packed else self.plain,
            content_type=self.content_type,
            charset="utf-8",
            headers={**HEADERS, "Content-Security-Policy": policy},
        )
        if is_packed:
            response.headers["Content-Encoding"] = "gzip"
        return response

    def answer_once(self, request: web.Request, policy: str) -> web.Response:
        """The same, or that what the browser has is still it."""
        response = self.answer(request, policy)
        etag = hashlib.sha256(cast(bytes, response.body)).hexdigest()[:32]
        fresh = {"Cache-Control": "no-cache", "ETag": f'"{etag}"'}
        # A proxy that has packed the answer itself may have made the tag a weak one.
        if any(known.value in (etag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers={**HEADERS, **fresh})
        response.headers.update(fresh)
        return response


ASSETS = web.AppKey("ASSETS", dict[str, Asset])


def add_routes(app: web.Application) -> None:
    files = (path for path in FOLDER.iterdir() if path.suffix in CONTENT_TYPES)
    app[ASSETS] = {path.name: Asset.read(path) for path in files}
    app.router.add_get(PAGE_PATH, show_page)
    app.router.add_get(PAGE_PATH + "/assets/{name}", show_asset)


async def show_page(request: web.Request) -> web.Response:
    sign_in_url = request.app[SETTINGS].sign_in_url
    if sign_in_url and not await has_session(request):
        return _send_to(request, sign_in_url)
    page = request.app[ASSETS][ENTRANCE].answer(request, policy(sign_in_url))
    # Who goes back here after signing out is to be sent to sign in, and sees nothing of before.
    page.headers["Cache-Control"] = "no-store"
    return page


async def show_asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    asset = request.app[ASSETS].get(name)
    if asset is None or name == ENTRANCE:
        raise web.HTTPNotFound
    return asset.answer_once(request, policy(None))


def policy(sign_in_url: str | None) -> str:
    """Signing out ends at the sign-in page, and browsers hold that against form-action too."""
    origins = ["'self'"]
    if sign_in_url:
        origins.append(str(URL(sign_in_url).origin()))
    return POLICY.format(form_action=" ".join(origins))


def takes_gzip(accept_encoding: str) -> bool:
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
    return False


def _send_to(request: web.Request, sign_in_url: str) -> web.Response:
    """To sign in, and back to where they wanted to go."""
    query = request.rel_url.raw_query_string
    wanted = own_path(request, PAGE_PATH) + (f"?{query}" if query else "")
    location = URL(sign_in_url).update_query(return_to=wanted)
    return web.Response(
        status=303, headers={"Location": str(location), "Cache-Control": "no-store"}
    )
