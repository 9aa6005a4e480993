"""What became of a provider's report: 200 where it need not be sent again."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..logs import fields_of
from .answers import error_response
from .keys import LOG_FIELDS

SETTLED = frozenset({"processed", "duplicate", "ignored", "pending"})


def respond(request: web.Request, answer: dict[str, Any], id_key: str) -> web.Response:
    request[LOG_FIELDS] |= fields_of(answer)
    if answer["outcome"] in SETTLED:
        return web.json_response({"outcome": answer["outcome"], id_key: answer.get(id_key)})
    return error_response(500, answer["error"], answer["message"])
