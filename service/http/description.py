"""GET /openapi.json: what this service takes and answers, in OpenAPI 3.1.

Written by hand, in parts: what all callers share, and a file or two for each kind of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from .. import __version__
from .keys import SETTINGS

PATH = "/openapi.json"
PARTS = Path(__file__).parent / "openapi"


@dataclass(frozen=True)
class Document:
    body: bytes
    etag: str


DOCUMENT = web.AppKey("DOCUMENT", Document)


def add_routes(app: web.Application) -> None:
    body = json.dumps(read_description(app[SETTINGS].public_url), ensure_ascii=False).encode()
    app[DOCUMENT] = Document(body, hashlib.sha256(body).hexdigest()[:32])
    app.router.add_get(PATH, show_description)


async def show_description(request: web.Request) -> web.Response:
    document = request.app[DOCUMENT]
    headers = {"ETag": f'"{document.etag}"', "Cache-Control": "no-cache"}
    if any(known.value in (document.etag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=document.body, content_type="application/json", headers=headers)


def read_description(public_url: str | None = None) -> dict[str, Any]:
    """The whole document, for the service that is reached at this URL."""
    document: dict[str, Any] = {}
    for part in sorted(PARTS.glob("*.json")):
        _add(document, json.loads(part.read_text(encoding="utf-8")))
    document["info"]["version"] = __version__
    if public_url:
        document["servers"] = [{"url": public_url}]
    return document


def _add(document: dict[str, Any], part: dict[str, Any]) -> None:
    for key, value in part.items():
        if isinstance(value, dict):
            _add(document.setdefault(key, {}), value)
        else:
            document[key] = value
