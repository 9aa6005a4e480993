"""Calls as Vapi has them, and the report that it sends when one has ended.

https://docs.vapi.ai/api-reference/calls/list and
https://docs.vapi.ai/server-url/events#end-of-call-report
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from .store import Store

VapiCall = dict[str, Any]

# Vapi's own id of the account, which is none of our organizations.
ACCOUNT_ID = "3f1c2b6e-6a0b-4f0e-9d59-0c1a5e9b7d21"
ASSISTANT_ID = "5b0a7c1e-52f0-4bb2-8f4e-9a1df2a8f2c3"
PHONE_NUMBER_ID = "9c6e2c57-3e5f-4c59-a7d6-2a4b1d0e8f64"

RINGING = timedelta(seconds=4)
POST_PROCESSING = timedelta(seconds=3)

# Dollars a minute.
RATES = {"transport": 0.014, "stt": 0.0105, "llm": 0.0189, "tts": 0.036, "vapi": 0.05}

SAID = (
    ("bot", "Hello, this is Riley from Northwind Dental. How can I help you?"),
    ("user", "Hi, I'd like to move my appointment, my number is 020 7946 0018."),
    ("bot", "Of course. Would Thursday at ten suit you?"),
    ("user", "Yes, thank you, bye."),
)

# What the report has beside the call, and not within it.
BESIDE_THE_CALL: tuple[str, ...] = (
    "startedAt",
    "endedAt",
    "endedReason",
    "cost",
    "costBreakdown",
    "costs",
    "analysis",
    "artifact",
    "transcript",
    "messages",
    "customer",
)


class NewCall(BaseModel):
    """A call to be made; all of it may be left out. Times that are not given follow from others."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(default=None, min_length=1)
    type: Literal["inboundPhoneCall", "outboundPhoneCall", "webCall"] = "outboundPhoneCall"
    status: Literal["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"] = (
        "ended"
    )
    created_at: AwareDatetime | None = None
    # Null: nobody took it.
    duration_seconds: float | None = Field(default=60, ge=0, le=7 * 24 * 3600)
    ended_reason: str | None = None
    cost: float | None = Field(default=None, ge=0)
    assistant_id: str | None = ASSISTANT_ID
    phone_number_id: str | None = PHONE_NUMBER_ID
    # What our backend told Vapi when it made the call, and where it told it.
    org_id: str | None = None
    call_id: str | None = None
    metadata_in: Literal["metadata", "assistantOverrides", "assistant"] = "assistantOverrides"
    # Anything else that the object shall have, or have otherwise.
    fields: VapiCall = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_created_at(self) -> Self:
        if self.created_at and not 2000 <= self.created_at.year <= 2999:
            raise ValueError("created_at must lie between the years 2000 and 2999.")
        return self

    def build(self, now: datetime, *, later: timedelta = timedelta()) -> VapiCall:
        """The call as the API shows it; `later` moves its beginning."""
        took = timedelta(seconds=self.duration_seconds or 0)
        created = (self.created_at or now - took - RINGING - POST_PROCESSING) + later
        answered = self.duration_seconds is not None
        under_way = self.status in ("in-progress", "forwarding")
        started = created + RINGING if answered and (under_way or self.status == "ended") else None
        ended = created + RINGING + took if self.status == "ended" else None
        call: VapiCall = {
            "id": self.id or str(uuid4()),
            "orgId": ACCOUNT_ID,
            "createdAt": iso(created),
            "updatedAt": iso(ended + POST_PROCESSING if ended else started or created),
            "type": self.type,
            "status": self.status,
            "assistantId": self.assistant_id,
            "squadId": None,
        }
        if self.type == "webCall":
            call |= {"webCallUrl": f"https://vapi.daily.co/{uuid4().hex[:20]}"}
        else:
            call |= {
                "phoneNumberId": self.phone_number_id,
                "phoneCallProvider": "twilio",
                "phoneCallProviderId": f"CA{uuid4().hex}",
                "phoneCallTransport": "pstn",
                "customer": {"number": "+442079460018"},
            }
        metadata = {
            name: value
            for name, value in (("org_id", self.org_id), ("call_id", self.call_id))
            if value is not None
        }
        if metadata and self.metadata_in == "metadata":
            call |= {"metadata": metadata}
        elif metadata:
            call |= {self.metadata_in: {"metadata": metadata}}
        if started:
            call |= {"startedAt": iso(started)}
        if ended:
            call |= self._ending(ended, took)
        return call | self.fields

    def _ending(self, ended: datetime, took: timedelta) -> VapiCall:
        minutes = took.total_seconds() / 60
        costs = {name: round(rate * minutes, 4) for name, rate in RATES.items()}
        total = round(sum(costs.values()), 4) if self.cost is None else self.cost
        answered = self.duration_seconds is not None
        reason = "customer-ended-call" if answered else "customer-did-not-answer"
        said = SAID if answered else ()
        messages = [
            {"role": role, "message": text, "secondsFromStart": 2.0 * number}
            for number, (role, text) in enumerate(said)
        ]
        transcript = "\n".join(
            f"{'AI' if role == 'bot' else 'User'}: {text}" for role, text in said
        )
        analysis = {"summary": "The customer moved an appointment."} if answered else {}
        return {
            "endedAt": iso(ended),
            "endedReason": self.ended_reason or reason,
            "cost": total,
            "costBreakdown": {**costs, "total": total},
            "costs": [{"type": name, "cost": cost} for name, cost in costs.items()],
            "transcript": transcript,
            "messages": messages,
            "analysis": analysis,
            "artifact": {"messages": messages, "transcript": transcript},
        }


def iso(at: datetime) -> str:
    """As Vapi writes a time; the texts sort like the times."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def end_of_call_report(call: VapiCall, now: datetime) -> VapiCall:
    """The message to the server URL."""
    outside = {name: call[name] for name in BESIDE_THE_CALL if name in call}
    inside = {name: value for name, value in call.items() if name not in outside}
    if "startedAt" in call:
        seconds = (
            datetime.fromisoformat(call["endedAt"]) - datetime.fromisoformat(call["startedAt"])
        ).total_seconds()
        outside |= {
            "durationMs": round(seconds * 1000),
            "durationSeconds": seconds,
            "durationMinutes": round(seconds / 60, 4),
        }
    # As in the message, the call has not heard of its end.
    inside |= {"status": "in-progress" if "startedAt" in call else "ringing"}
    return {
        "message": {
            "type": "end-of-call-report",
            "timestamp": round(now.timestamp() * 1000),
            **outside,
            "call": {**inside, "customer": call["customer"]} if "customer" in call else inside,
        }
    }


def save(store: Store, calls: Iterable[VapiCall]) -> None:
    """Add calls; one of the same id replaces the one before."""
    store.connection.executemany(
        "insert or replace into vapi_calls (id, created_at, body) values (?, ?, ?)",
        ((call["id"], call["createdAt"], json.dumps(call)) for call in calls),
    )


def find(store: Store, call_id: str) -> VapiCall | None:
    row = store.connection.execute("select body from vapi_calls where id = ?", [call_id]).fetchone()
    return json.loads(row[0]) if row else None


def select(store: Store, conditions: list[str], values: list[Any], limit: int) -> list[VapiCall]:
    """The newest calls for which all of these SQL conditions hold."""
    rows = store.connection.execute(
        f"select body from vapi_calls where {' and '.join(['true', *conditions])}"  # noqa: S608
        " order by created_at desc, id desc limit ?",
        [*values, limit],
    )
    return [json.loads(body) for (body,) in rows]
