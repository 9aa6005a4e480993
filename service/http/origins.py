"""Our own address as a browser sees it, and whether a request comes from our own page."""

from __future__ import annotations

from aiohttp import web
from yarl import URL

from .answers import Refusal
from .keys import SETTINGS

PAGE_PATH = "/wallet"


def own_url(request: web.Request, path: str) -> str:
    """One of our paths, as it is reached from outside."""
    base = request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
    return base + path


def own_path(request: web.Request, path: str) -> str:
    """The same without scheme and host: a proxy may have taken a prefix off."""
    return URL(request.app[SETTINGS].public_url or "").raw_path.rstrip("/") + path


def require_same_origin(request: web.Request) -> None:
    """Refuse what another site makes a browser send, along with the cookie that it has for us."""
    site = request.headers.get("Sec-Fetch-Site")
    if site != "same-origin" if site else not is_from(request, own_url(request, "/")):
        raise cross_site()


def is_from(request: web.Request, *urls: str | None) -> bool:
    """Whether a browser says that a page of one of these origins has sent the request."""
    origin = _origin(request.headers.get("Origin"))
    return origin is not None and origin in map(_origin, urls)


def cross_site() -> Refusal:
    return Refusal(403, "cross_site", "Another site's page may not send this.")


def _origin(url: str | None) -> str | None:
    try:
        return str(URL(url or "").origin())
    except ValueError:
        return None
