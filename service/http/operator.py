"""What an operator, or a program of theirs, may see and set off; behind API_TOKEN."""

from __future__ import annotations

import datetime
from typing import LiteralString

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ..logs import fields_of
from .body import as_model, read_body
from .functions import Failures, call_function
from .keys import LOG_FIELDS
from .query import Query, SmallNumber, as_query
from .tokens import requires_token

RECONCILIATION_PATH = "/api/billing-reconciliation/trigger"
QUEUE_HEALTH_PATH = "/api/webhook-metrics/queue-health"
RECENT_FAILURES_PATH = "/api/webhook-metrics/recent-failures"
REPLAY_PATH = "/api/webhook-metrics/replay"
QUEUE_STATS_PATH = "/api/monitoring/queue-stats"

FAILURES = Failures(
    misuse="WL",
    misuse_error="invalid_request",
    unreadable_error="invalid_request",
    unreadable_message="The request has a value that can't be stored.",
    unavailable_message="Nothing was set off: send the request again.",
)

REQUEST_RECONCILIATION: LiteralString = "select wallet.request_call_reconciliation(%s::date, 'api')"
GET_QUEUE_HEALTH: LiteralString = "select wallet.get_webhook_queue_health()"
LIST_FAILED_EVENTS: LiteralString = "select wallet.list_failed_events(%s::integer)"
REPLAY_EVENT: LiteralString = "select wallet.replay_stripe_event(%s)"
GET_QUEUE_STATS: LiteralString = "select wallet.get_queue_stats()"

STATUS_OF_REFUSAL = {"event_not_found": 404}


class ReconciliationRequest(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    date: datetime.date | None = None


class ReplayRequest(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    event_id: str


class Failed(Query):
    limit: SmallNumber = 20


async def trigger_reconciliation(request: web.Request) -> web.Response:
    """A day's calls become due for the worker; without a date, yesterday's."""
    wish = as_model(await read_body(request) or b"{}", ReconciliationRequest)
    answer = await call_function(request, FAILURES, REQUEST_RECONCILIATION, wish.date)
    request[LOG_FIELDS] |= {"from": answer["from"], "to": answer["to"]}
    return web.json_response(answer, status=202)


async def show_queue_health(request: web.Request) -> web.Response:
    return web.json_response(await call_function(request, FAILURES, GET_QUEUE_HEALTH))


async def list_recent_failures(request: web.Request) -> web.Response:
    limit = as_query(request, Failed).limit
    return web.json_response(await call_function(request, FAILURES, LIST_FAILED_EVENTS, limit))


async def replay_event(request: web.Request) -> web.Response:
    """A stored event once more, as if Stripe had delivered it again: it can't be applied twice."""
    wish = as_model(await read_body(request), ReplayRequest)
    answer = await call_function(request, FAILURES, REPLAY_EVENT, wish.event_id)
    request[LOG_FIELDS] |= fields_of(answer)
    if answer["success"]:
        return web.json_response(answer)
    return web.json_response(answer, status=STATUS_OF_REFUSAL.get(answer["error"], 409))


async def show_queue_stats(request: web.Request) -> web.Response:
    return web.json_response(await call_function(request, FAILURES, GET_QUEUE_STATS))


ROUTES = (
    web.post(RECONCILIATION_PATH, requires_token(trigger_reconciliation)),
    web.get(QUEUE_HEALTH_PATH, requires_token(show_queue_health)),
    web.get(RECENT_FAILURES_PATH, requires_token(list_recent_failures)),
    web.post(REPLAY_PATH, requires_token(replay_event)),
    web.get(QUEUE_STATS_PATH, requires_token(show_queue_stats)),
)
