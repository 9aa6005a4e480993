"""What became of a provider's report: 200 where it need not be sent again."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from .answers import error_response
from .keys import LOG_FIELDS

SETTLED = frozenset({"processed", "duplicate", "ignored", "pending"})

LOGGED = {
    "event_id": "eventId",
    "event_type": "eventType",
    "call_id": "callId",
    "vapi_call_id": "vapiCallId",
    "message_id": "messageId",
    "org_id": "orgId",
    "outcome": "outcome",
    "duplicate": "duplicate",
    "amount_pence": "amountPence",
    "owed_pence": "owedPence",
    "balance_before": "balanceBefore",
    "balance_after": "balanceAfter",
    "error": "error",
}


def respond(request: web.Request, answer: dict[str, Any], id_key: str) -> web.Response:
    request[LOG_FIELDS] |= {
        LOGGED[key]: value for key, value in answer.items() if key in LOGGED and value is not None
    }
    if answer["outcome"] in SETTLED:
        return web.json_response({"outcome": answer["outcome"], id_key: answer.get(id_key)})
    return error_response(500, answer["error"], answer["message"])
