"""The parameters of a URL, each given once unless it is a list."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from .body import invalid_request

Wish = TypeVar("Wish", bound="Query")


class Query(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def as_query(request: web.Request, model: type[Wish]) -> Wish:
    values = {name: request.query.getall(name) for name in request.query}
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise invalid_request(exc) from None


def _single(pattern: str, expected: str) -> Callable[[list[str]], str]:
    """Reads one value of exactly this form: pydantic's own ideas of a number are wider."""

    def read(values: list[str]) -> str:
        if len(values) != 1:
            raise PydanticCustomError("repeated", "Input should be given once")
        if not re.fullmatch(pattern, values[0]):
            raise PydanticCustomError("malformed", "Input should be " + expected)
        return values[0]

    return read


DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"

Text = Annotated[str, BeforeValidator(_single("(?s:.*)", "text"))]
Number = Annotated[int, BeforeValidator(_single("-?[0-9]{1,18}", "a whole number"))]
SmallNumber = Annotated[Number, Field(ge=-(2**31), lt=2**31)]
Day = Annotated[datetime.date, BeforeValidator(_single(DAY, "a date such as 2026-11-01"))]
Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_single(f"{DAY}T{CLOCK}", "a time such as 2026-11-01T00:00:00Z")),
]
