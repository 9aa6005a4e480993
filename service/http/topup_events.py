"""GET /api/wallet/topups/{topup_id}/events: how a top-up comes along, as it does (SSE).

Each event has the whole answer of `GET /api/wallet/topups/{topup_id}`, so none needs to be
caught up with: a stream that breaks off is just asked for again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from aiohttp import web

from ..database.notifications import TooManyWatchers, Watchers
from .answers import Refusal
from .keys import LOG_FIELDS, SETTINGS, TOPUP_WATCHERS
from .tenants import Tenant, call_as
from .wallet import GET_TOPUP, respond, topup_id

CHANNEL = "pgwallet_topups"

MOST_STREAMS = 500
MOST_STREAMS_AN_ORGANIZATION = 5

LONGEST_SECONDS = 600
# A notification may be lost: behind PgBouncer's transaction mode none is heard at all.
REREAD_SECONDS = 5
HEARTBEAT_SECONDS = 15

HEADERS = {
    "Content-Type": "text/event-stream",
    # nginx would keep the events back until there is a buffer full of them.
    "X-Accel-Buffering": "no",
}

FINAL = ("expired", "canceled")


async def stream_topup(request: web.Request, tenant: Tenant) -> web.StreamResponse:
    wanted = topup_id(request)
    try:
        with request.app[TOPUP_WATCHERS].watch(str(tenant.org_id)) as changed:
            topup = await call_as(request, tenant, GET_TOPUP, wanted)
            if not topup["success"]:
                return respond(request, topup)
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(request)
            # What is left to do when the client goes, or the time is over, is nothing.
            with suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(min(LONGEST_SECONDS, tenant.expires_at - time.time())):
                    await _send_changes(request, response, tenant, topup, changed)
            return response
    except TooManyWatchers:
        raise Refusal(
            503, "too_many_streams", "Too many streams are open: ask for the top-up itself."
        ) from None


async def _send_changes(
    request: web.Request,
    response: web.StreamResponse,
    tenant: Tenant,
    topup: dict[str, Any],
    changed: asyncio.Event,
) -> None:
    sent = None
    heard_of_us = time.monotonic()
    while True:
        if topup != sent:
            await response.write(f"event: topup\ndata: {json.dumps(topup)}\n\n".encode())
            sent, heard_of_us = topup, time.monotonic()
        elif time.monotonic() >= heard_of_us + HEARTBEAT_SECONDS:
            await response.write(b": still here\n\n")
            heard_of_us = time.monotonic()
        if topup["credited"] or topup["status"] in FINAL:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), REREAD_SECONDS)
        if request.app[TOPUP_WATCHERS].closing or request.transport is None:
            return
        changed.clear()
        try:
            topup = await call_as(request, tenant, GET_TOPUP, topup["topup_id"])
        except Refusal as exc:
            # Its status can't be told any more; the client asks again.
            request[LOG_FIELDS]["error"] = exc.error
            return
        if not topup["success"]:
            return


async def watch_topups(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    watchers = app[TOPUP_WATCHERS] = Watchers(
        settings.database_url.get_secret_value(),
        CHANNEL,
        most=MOST_STREAMS,
        most_a_payload=MOST_STREAMS_AN_ORGANIZATION,
    )
    yield
    await watchers.close()


async def end_streams(app: web.Application) -> None:
    """A service that stops waits for those who are being answered, and these would take long."""
    app[TOPUP_WATCHERS].dismiss()
