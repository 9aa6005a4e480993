"""The one function call of a request, and its failures in terms of HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from aiohttp import web

from .answers import Refusal
from .keys import DATABASE, LOG_FIELDS

STATEMENT_TOO_COMPLEX = "54001"
DATA_EXCEPTION_CLASS = "22"


@dataclass(frozen=True)
class Failures:
    """What the sender is told: that it has to correct something, or to try again."""

    misuse: str  # the SQLSTATE, or its class, of what it has to correct
    misuse_error: str
    unreadable_error: str
    unreadable_message: str
    unavailable_message: str


async def call_function(
    request: web.Request, failures: Failures, query: LiteralString, *args: Any
) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await request.app[DATABASE].call(query, *args)
    except (psycopg.Error, TimeoutError) as exc:
        raise refusal(request, failures, exc) from None
    return answer


def refusal(request: web.Request, failures: Failures, exc: psycopg.Error | TimeoutError) -> Refusal:
    """Is it the request that PostgreSQL can't take, or PostgreSQL itself that can't?"""
    unavailable = Refusal(503, "database_unavailable", failures.unavailable_message)
    request[LOG_FIELDS]["errorType"] = type(exc).__name__
    if isinstance(exc, TimeoutError):
        return unavailable
    sqlstate = exc.sqlstate or ""
    if sqlstate:
        request[LOG_FIELDS]["sqlstate"] = sqlstate
    if sqlstate.startswith(failures.misuse):
        # SQL says p_ to what the caller knows without.
        message = re.sub(r"\bp_", "", exc.diag.message_primary or "")
        return Refusal(400, failures.misuse_error, f"{message}.")
    unreadable = (
        sqlstate.startswith(DATA_EXCEPTION_CLASS)
        or sqlstate == STATEMENT_TOO_COMPLEX
        # Raised by psycopg itself: a null character can't be sent at all.
        or (not sqlstate and isinstance(exc, psycopg.DataError))
    )
    if unreadable:
        return Refusal(400, failures.unreadable_error, failures.unreadable_message)
    return unavailable
