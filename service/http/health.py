"""GET /health: is the database there, and does anything wait for an operator?"""

from __future__ import annotations

import psycopg
from aiohttp import web

from .keys import DATABASE

# A monitor wants its answer before it gives up itself.
TIMEOUT_SECONDS = 3


async def show_health(request: web.Request) -> web.Response:
    try:
        health = await request.app[DATABASE].call(
            "select wallet.get_health()", seconds=TIMEOUT_SECONDS
        )
    except (psycopg.Error, TimeoutError):
        return web.json_response({"status": "unavailable"}, status=503)
    return web.json_response({"status": "ok", "database": health})
