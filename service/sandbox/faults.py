"""Faults on demand: what can go wrong between us and Stripe, and at which point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .errors import StripeError
from .idempotency import Answer

POLL_SECONDS = 0.02


class Fault(BaseModel):
    """What happens to the next `times` requests of this method and path, after `skip` others.

    `answer` is an error's status, or `hang` (nothing ever comes) or `drop` (the connection
    breaks), each before the request is executed or `after_commit`: then the object exists,
    but nobody was told. A `saved` error is the answer to the idempotency key from then on,
    as with a 500 that came up while Stripe was at work.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "*"
    answer: Annotated[int, Field(ge=400, le=599)] | Literal["hang", "drop"] | None = None
    after_commit: bool = False
    saved: bool = False
    delay_seconds: float = Field(default=0, ge=0, le=600)
    skip: int = Field(default=0, ge=0)
    times: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check_saved(self) -> Self:
        if self.saved and not isinstance(self.answer, int):
            raise ValueError("Only an error can be saved.")
        return self

    def error_answer(self) -> Answer | None:
        if not isinstance(self.answer, int):
            return None
        error = _error(self.answer)
        return Answer(error.status, error.body)


def _error(status: int) -> StripeError:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return StripeError("Request rate limit exceeded.", status=status, code="rate_limit")
    if status == HTTPStatus.CONFLICT:
        return StripeError(
            "This object cannot be accessed right now because another API request or Stripe"
            " process is currently accessing it.",
            status=status,
            code="lock_timeout",
        )
    return StripeError("An unknown error occurred", status=status, kind="api_error")


NO_FAULT = Fault()


@dataclass
class Faults:
    waiting: list[Fault]

    def take(self, method: str, path: str) -> Fault:
        """The first one that fits, used up by one."""
        for fault in self.waiting:
            if fnmatchcase(method, fault.method) and fnmatchcase(path, fault.path):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if not fault.times:
                    self.waiting.remove(fault)
                return fault
        return NO_FAULT

    def show(self) -> list[dict[str, Any]]:
        return [fault.model_dump() for fault in self.waiting]


async def leave_unanswered(request: web.Request, how: Literal["hang", "drop"]) -> web.Response:
    """Returns once the connection is gone; the response can't reach anybody."""
    if how == "drop" and request.transport:
        request.transport.abort()
    # The client's leaving comes with no event.
    while request.transport and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    return web.Response()
