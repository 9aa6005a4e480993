"""The body of a request: all of it, of bounded size and within a bounded time."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from .answers import Refusal
from .keys import SETTINGS

# Stripe's largest events are a twentieth of this.
MAX_BODY_BYTES = 256 * 1024

Wish = TypeVar("Wish", bound=BaseModel)


async def read_body(request: web.Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(400, "encoded_body", "Send the body without Content-Encoding.")
    too_large = Refusal(413, "body_too_large", f"The body may have at most {max_bytes} bytes.")
    if (request.content_length or 0) > max_bytes:
        raise too_large
    try:
        async with asyncio.timeout(request.app[SETTINGS].request_timeout_seconds):
            return await request.clone(client_max_size=max_bytes).read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large from None
    except (web.RequestPayloadError, TimeoutError):
        raise Refusal(400, "incomplete_body", "The body didn't arrive, or broke off.") from None


def as_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Refusal(400, "not_utf8", "The body is not UTF-8.") from None


def as_model(body: bytes, model: type[Wish]) -> Wish:
    """The JSON object of a caller of ours."""
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise invalid_request(exc) from None


def invalid_request(exc: ValidationError) -> Refusal:
    """What is wrong, told by its field."""
    error = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    if error["type"] == "json_invalid":
        return Refusal(400, "invalid_json", "The body is not JSON.")
    field = ".".join(map(str, error["loc"])) or "body"
    return Refusal(400, "invalid_request", f"{field}: {error['msg']}.")
