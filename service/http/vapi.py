"""POST /api/webhooks/vapi: what Vapi reports about calls that have ended.

200 means that the call is billed or that the message is none of our business;
4xx that it isn't Vapi's, or isn't a report; 5xx that the call is not billed: Vapi
may send the report again, and if it doesn't, reconciliation finds the call.
"""

from __future__ import annotations

from aiohttp import web

from ..json_text import storable
from .answers import Refusal
from .body import as_text, read_body
from .functions import Failures, call_function
from .keys import SETTINGS
from .outcomes import respond
from .tokens import require_secret

# A report has the whole conversation, several times over.
MAX_REPORT_BYTES = 2 * 1024 * 1024

FAILURES = Failures(
    misuse="WL012",
    misuse_error="invalid_report",
    unreadable_error="invalid_json",
    unreadable_message="The body is not JSON that can be stored.",
    unavailable_message="The report was not processed: send it again.",
)


async def receive_call_report(request: web.Request) -> web.Response:
    authenticate(request)
    report = as_text(await read_body(request, MAX_REPORT_BYTES))
    answer = await call_function(
        request, FAILURES, "select wallet.record_call(%s::jsonb)", storable(report)
    )
    return respond(request, answer, "call_id")


def authenticate(request: web.Request) -> None:
    """The secret comes in X-Vapi-Secret, or as Vapi's bearer credential, its default today."""
    secrets = request.app[SETTINGS].vapi_secrets
    if not secrets:
        raise Refusal(503, "not_configured", "Set VAPI_WEBHOOK_SECRET to use this.")
    advice = "Send the secret in the header X-Vapi-Secret, or as Authorization: Bearer."
    if given := request.headers.getall("X-Vapi-Secret", []):
        require_secret(given, secrets, advice)
    else:
        given = request.headers.getall("Authorization", [])
        require_secret(given, [f"Bearer {secret}" for secret in secrets], advice)
