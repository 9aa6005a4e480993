"""What an operator, or a program of theirs, may set off; behind API_TOKEN."""

from __future__ import annotations

import datetime
from typing import LiteralString

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from .body import as_model, read_body
from .functions import Failures, call_function
from .keys import LOG_FIELDS

FAILURES = Failures(
    misuse="WL",
    misuse_error="invalid_request",
    unreadable_error="invalid_request",
    unreadable_message="The body has a value that can't be stored.",
    unavailable_message="Nothing was set off: send the request again.",
)


REQUEST_RECONCILIATION: LiteralString = "select wallet.request_call_reconciliation(%s::date, 'api')"


class ReconciliationRequest(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    date: datetime.date | None = None


async def trigger_reconciliation(request: web.Request) -> web.Response:
    """A day's calls become due for the worker; without a date, yesterday's."""
    wish = as_model(await read_body(request) or b"{}", ReconciliationRequest)
    answer = await call_function(request, FAILURES, REQUEST_RECONCILIATION, wish.date)
    request[LOG_FIELDS] |= {"from": answer["from"], "to": answer["to"]}
    return web.json_response(answer, status=202)
