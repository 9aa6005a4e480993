"""The stand-in for Vapi: its list of calls under /vapi/call, and the reports that it sends.

The control API, under /_sandbox/vapi/, makes calls take place, and reports them or keeps silent.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, web
from pydantic import BaseModel, ConfigDict, Field

from . import vapi_calls
from .faults import leave_unanswered
from .sandbox import SANDBOX, Sandbox
from .vapi_calls import NewCall, VapiCall

log = structlog.get_logger()

LIST_PATH = "/vapi/call"

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
COMPARISONS = {"Gt": ">", "Ge": ">=", "Lt": "<", "Le": "<="}
EQUALS = ("id", "assistantId", "phoneNumberId")

TIMEOUT_SECONDS = 20  # what Vapi waits for an answer
MOST_AT_ONCE = 8


class VapiError(Exception):
    """Ends a request with an error body of Vapi's form."""

    def __init__(self, status: int, message: str | list[str]) -> None:
        super().__init__(message)
        self.status = status
        phrases = {each.value: each.phrase for each in HTTPStatus}
        error = phrases.get(status, "Error")
        self.body = {"message": message, "error": error, "statusCode": status}


class NewCalls(BaseModel):
    """The calls as they are given, or `count` of one kind, each some time after the one before."""

    model_config = ConfigDict(extra="forbid")

    calls: list[NewCall] = Field(default_factory=list)
    call: NewCall = Field(default_factory=NewCall)
    count: int = Field(default=0, ge=0, le=100_000)
    every_ms: int = Field(default=1000, ge=0)
    # Whether the service is told by webhook.
    deliver: bool = False


class Change(BaseModel):
    """What is different about a call from now on, such as that it has ended."""

    model_config = ConfigDict(extra="forbid")

    fields: VapiCall


class Server(BaseModel):
    """The server URL of Vapi's account, with the secret of its header."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=r"^https?://")
    secret: str = Field(min_length=1)


def add_routes(app: web.Application) -> None:
    app.router.add_get(LIST_PATH, list_calls)


# The API


async def list_calls(request: web.Request) -> web.Response:
    sandbox = request.app[SANDBOX]
    sandbox.note_request(request.method, request.path, query=request.query_string)
    fault = sandbox.faults.take(request.method, request.path)
    await asyncio.sleep(fault.delay_seconds)
    if isinstance(fault.answer, str):
        return await leave_unanswered(request, fault.answer)
    try:
        _authenticate(request)
        if fault.answer:
            raise VapiError(fault.answer, "The request was made to fail.")
        return web.json_response(_listed(request, sandbox))
    except VapiError as exc:
        return web.json_response(exc.body, status=exc.status)


def _authenticate(request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise VapiError(401, "Missing Authorization Header")


def _listed(request: web.Request, sandbox: Sandbox) -> list[VapiCall]:
    conditions, values, limit = [], [], DEFAULT_LIMIT
    for name, value in request.query.items():
        field, suffix = name[:-2], name[-2:]
        if name == "limit":
            limit = _read_limit(value)
        elif name in EQUALS:
            conditions.append(f"json_extract(body, '$.{name}') = ?")
            values.append(value)
        elif field in ("createdAt", "updatedAt") and suffix in COMPARISONS:
            column = "created_at" if field == "createdAt" else "json_extract(body, '$.updatedAt')"
            conditions.append(f"{column} {COMPARISONS[suffix]} ?")
            values.append(_read_time(name, value))
        else:
            raise VapiError(400, [f"property {name} should not exist"])
    return vapi_calls.select(sandbox.store, conditions, values, limit)


def _read_limit(value: str) -> int:
    try:
        limit = int(value)
    except ValueError:
        raise VapiError(400, ["limit must be a number"]) from None
    if limit < 0:
        raise VapiError(400, ["limit must not be less than 0"])
    if limit > MAX_LIMIT:
        raise VapiError(400, [f"limit must not be greater than {MAX_LIMIT}"])
    return limit


def _read_time(name: str, value: str) -> str:
    try:
        at = datetime.fromisoformat(value)
        return vapi_calls.iso(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise VapiError(400, [f"{name} must be a valid ISO 8601 date string"]) from None


# The control API


async def make_calls(sandbox: Sandbox, new: NewCalls) -> dict[str, Any]:
    now = _now(sandbox)
    calls = [call.build(now) for call in new.calls]
    calls += [
        new.call.build(now, later=timedelta(milliseconds=number * new.every_ms))
        for number in range(new.count)
    ]
    with sandbox.transaction():
        vapi_calls.save(sandbox.store, calls)
    statuses = await _deliver(sandbox, calls) if new.deliver else []
    return {"ids": [call["id"] for call in calls], "statuses": statuses}


def change_call(sandbox: Sandbox, call_id: str, change: Change) -> VapiCall:
    call = _find(sandbox, call_id) | change.fields
    with sandbox.transaction():
        vapi_calls.save(sandbox.store, [call])
    return call


async def report_call(sandbox: Sandbox, call_id: str) -> dict[str, Any]:
    """Send the report, for the first time or once more."""
    return {"statuses": await _deliver(sandbox, [_find(sandbox, call_id)])}


def set_server(sandbox: Sandbox, server: Server) -> None:
    """From now on reports go there."""
    with sandbox.transaction():
        sandbox.store.connection.execute("delete from vapi_server")
        sandbox.store.connection.execute(
            "insert into vapi_server (url, secret) values (?, ?)", [server.url, server.secret]
        )


def _find(sandbox: Sandbox, call_id: str) -> VapiCall:
    call = vapi_calls.find(sandbox.store, call_id)
    if call is None:
        raise VapiError(404, f"Couldn't get call. {call_id} does not exist.")
    return call


def _now(sandbox: Sandbox) -> datetime:
    return datetime.fromtimestamp(sandbox.store.now(), UTC)


async def _deliver(sandbox: Sandbox, calls: list[VapiCall]) -> list[int]:
    """What the service answered to each report; 0 is no answer. Vapi doesn't repeat one."""
    row = sandbox.store.connection.execute("select url, secret from vapi_server").fetchone()
    if row is None:
        raise VapiError(400, "There is no server URL: PUT /_sandbox/vapi/server.")
    url, secret = row
    room = asyncio.Semaphore(MOST_AT_ONCE)
    now = _now(sandbox)
    async with ClientSession(timeout=ClientTimeout(TIMEOUT_SECONDS)) as http:

        async def send(call: VapiCall) -> int:
            body = json.dumps(vapi_calls.end_of_call_report(call, now)).encode()
            headers = {"Content-Type": "application/json", "X-Vapi-Secret": secret}
            async with room:
                try:
                    async with http.post(
                        url, data=body, headers=headers, allow_redirects=False
                    ) as response:
                        status = response.status
                except (ClientError, TimeoutError):
                    status = 0
            log.info("vapi_report_sent", callId=call["id"], status=status or None)
            return status

        return await asyncio.gather(*map(send, calls))
