"""Structured logs: one JSON object a line, on stderr."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

# What is told of a function's answer, and by which name.
OF_AN_ANSWER = {
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


def fields_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        OF_AN_ANSWER[key]: value
        for key, value in answer.items()
        if key in OF_AN_ANSWER and value is not None
    }


def describe_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Log where an exception came from, not its text, which may quote a row or a URL."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        event["errorType"] = type(error).__name__
        event["traceback"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
    return event


def _lead_with_time(_logger: Any, _method: str, event: EventDict) -> EventDict:
    first = {key: event.pop(key) for key in ("time", "level", "event")}
    return {**first, **event}


def configure_logging(level: int = logging.INFO) -> None:
    """Send the service's own lines and those of its libraries through one renderer."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        describe_exception,
        _lead_with_time,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
