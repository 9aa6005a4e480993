"""POST /api/webhooks/twilio/sms-status: how far Twilio says that a message came.

200 means that the message is charged as it should be, or that the status is none of
our business; 400 and 413 that it isn't Twilio's, or isn't a status; 5xx that Twilio
shall send it again.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]

from .answers import Refusal
from .body import as_text, read_body
from .functions import Failures, call_function
from .keys import SETTINGS
from .outcomes import respond

# Twilio's callbacks have about a dozen.
MAX_FIELDS = 200

CALLBACK_FIELDS = ("MessageSid", "MessageStatus", "SmsStatus", "ErrorCode")
# What the sender of the message put into the callback's URL.
QUERY_FIELDS = ("org_id", "message_id")

FAILURES = Failures(
    misuse="WL013",
    misuse_error="invalid_callback",
    unreadable_error="invalid_callback",
    unreadable_message="The callback has a text that can't be stored.",
    unavailable_message="The status was not recorded: send it again.",
)


async def receive_sms_status(request: web.Request) -> web.Response:
    tokens = request.app[SETTINGS].twilio_tokens
    if not tokens:
        raise Refusal(503, "not_configured", "Set TWILIO_AUTH_TOKEN to use this.")
    form = read_form(await read_body(request))
    authenticate(
        called_url(request), form, request.headers.getall("X-Twilio-Signature", []), tokens
    )
    callback = {key: form[key] for key in CALLBACK_FIELDS if key in form}
    callback |= {key: request.query[key] for key in QUERY_FIELDS if key in request.query}
    answer = await call_function(
        request, FAILURES, "select wallet.record_sms_status(%s::jsonb)", json.dumps(callback)
    )
    return respond(request, answer, "message_id")


def called_url(request: web.Request) -> str:
    """The URL as Twilio called it, to the letter: a proxy hides its beginning from us."""
    base = request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
    return base + request.raw_path


def read_form(body: bytes) -> MultiDict[str]:
    try:
        fields = parse_qsl(
            as_text(body), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:  # of which UnicodeDecodeError is one
        raise Refusal(400, "invalid_form", "The body is not a form of Twilio's.") from None
    return MultiDict(fields)


def authenticate(
    url: str, form: MultiDict[str], headers: list[str], tokens: tuple[str, ...]
) -> None:
    """Refuse unless one of the tokens proves that Twilio sent this form to this URL."""
    if len(headers) != 1 or not any(_is_signed(url, form, headers[0], token) for token in tokens):
        raise Refusal(
            400,
            "invalid_signature",
            "The X-Twilio-Signature header doesn't fit the URL and the body; see PUBLIC_URL.",
        )


def _is_signed(url: str, form: MultiDict[str], header: str, token: str) -> bool:
    try:
        return bool(RequestValidator(token).validate(url, form, header))
    except ValueError:  # what is no URL, or not in Unicode, was signed by nobody
        return False
