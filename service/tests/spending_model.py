"""What a wallet that spends has to be, without a word of SQL; and calls as their provider tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

Answer = dict[str, Any]

# The price book that the migrations bring: US cents, and pounds for a dollar.
CENTS_A_MINUTE = 70
CENTS_A_SEGMENT = 5
CENTS_A_QUERY = 1
PENCE_FOR_CENTS = (79, 100)

FAILED = ("undelivered", "failed", "canceled")
FINAL = (*FAILED, "delivered")


def price_of_call(seconds: int) -> int:
    return pence(-(-seconds * CENTS_A_MINUTE // 60))


def pence(cents: int) -> int:
    rate, base = PENCE_FOR_CENTS
    return -(-cents * rate // base)


def call_object(
    vapi_call_id: str, seconds: int, *, placed_at: datetime, metadata: Mapping[str, str]
) -> Answer:
    """A call that has ended, as the provider lists it. One of 0 seconds was never answered."""
    told: Answer = {
        "id": vapi_call_id,
        "orgId": "the account at the provider, none of ours",
        "type": "outboundPhoneCall",
        "status": "ended",
        "createdAt": iso(placed_at),
        "endedAt": iso(placed_at + timedelta(seconds=5 + seconds)),
        "endedReason": "customer-ended-call" if seconds else "customer-did-not-answer",
        "metadata": dict(metadata),
    }
    if seconds:
        told |= {"startedAt": iso(placed_at + timedelta(seconds=5)), "cost": 0.05}
    return told


def end_of_call_report(call: Answer) -> Answer:
    """What the webhook is told of it, which has the end of the call beside it."""
    outside = ("startedAt", "endedAt", "endedReason", "cost")
    beside = {name: call[name] for name in outside if name in call}
    within = {name: value for name, value in call.items() if name not in outside}
    return {"message": {"type": "end-of-call-report", "call": within, **beside}}


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Entry:
    kind: str
    change: int
    before: int
    after: int

    @property
    def answer(self) -> Answer:
        return {"balance_before": self.before, "balance_after": self.after}


@dataclass
class Reservation:
    asked: int  # minutes, as first asked with
    minutes: int
    pence: int
    status: str = "open"


@dataclass
class Call:
    seconds: int
    cost: int
    charged: int = 0
    collections: int = 0

    @property
    def owed(self) -> int:
        return self.cost - self.charged


@dataclass
class Message:
    segments: int
    price: int
    status: str | None = None


@dataclass
class Wallet:
    """Money that is there, held and owed. A method is a request, and says what it is answered."""

    org_id: UUID = field(default_factory=uuid4)
    balance: int = 0
    debt_limit: int = 0
    frozen: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)  # in the order in which they were billed
    messages: dict[str, Message] = field(default_factory=dict)
    early_statuses: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> int:
        return sum(one.pence for one in self.reservations.values() if one.status == "open")

    @property
    def owed(self) -> int:
        return sum(call.owed for call in self.calls.values())

    @property
    def free(self) -> int:
        """What may be held, or pay for an asset."""
        return self.balance - self.held - self.owed

    # Money in and out

    def credit(self, key: str, kind: str, amount: int) -> Answer:
        if key in self.entries:
            return self._replay(key, kind, amount)
        answer = self._write(key, kind, amount)
        self.collect()
        return answer

    def spend(self, key: str, kind: str, amount: int) -> Answer:
        """Down to the debt limit."""
        if key in self.entries:
            return self._replay(key, kind, -amount)
        self.collect()
        if self.frozen and kind != "adjustment":
            return refused("wallet_frozen")
        if amount > self.free + self.debt_limit:
            return refused(
                "debt_limit_exceeded",
                current_balance=self.balance,
                reserved_pence=self.held,
                owed_pence=self.owed,
                debt_limit=self.debt_limit,
                attempted_deduction=amount,
                new_balance_would_be=self.balance - amount,
                amount_over_limit=amount - self.free - self.debt_limit,
            )
        return self._write(key, kind, -amount)

    def deduct(self, call_id: str, amount: int) -> Answer:
        """A charge that its caller has priced; whatever the call has paid of its cost so far."""
        call = self.calls.get(call_id)
        if call is None:
            return self.spend(f"call:{call_id}", "call_deduction", amount)
        if call.cost != amount:
            return refused("idempotency_conflict")
        return {"success": True, "duplicate": True}

    def buy(self, key: str, kind: str, amount: int) -> Answer:
        """Down to 0."""
        if key in self.entries:
            return self._replay(key, kind, -amount)
        self.collect()
        if self.frozen:
            return refused("wallet_frozen")
        if amount > self.free:
            return self._insufficient(amount)
        return self._write(key, kind, -amount)

    def claw_back(self, key: str, amount: int) -> Answer:
        """The money is gone already, so that nothing stops this."""
        if key in self.entries:
            return self._replay(key, "topup_reversal", -amount)
        return self._write(key, "topup_reversal", -amount)

    def collect(self) -> None:
        """What calls owe is charged as far as the debt limit allows, the oldest first."""
        if self.frozen:
            return
        for call_id, call in self.calls.items():
            amount = min(call.owed, self.balance - self.held + self.debt_limit)
            if amount > 0:
                first = f"call:{call_id}"
                later = f"call_owed:{call_id}:{call.collections + 1}"
                self._write(later if first in self.entries else first, "call_deduction", -amount)
                call.charged += amount
                call.collections += 1

    # Messages

    def charge_sms(self, message_id: str, segments: int) -> Answer:
        message = self.messages.get(message_id)
        if message is not None and message.segments != segments:
            return refused("idempotency_conflict")
        price = pence(segments * CENTS_A_SEGMENT)
        answer = self.spend(f"sms:{message_id}", "sms_deduction", price)
        if not answer["success"]:
            return answer
        if message is None:
            self.messages[message_id] = Message(segments, price)
            early = self.early_statuses.pop(message_id, None)
            if early is not None:
                self.tell_status(message_id, early)
        return answer | {"message_id": message_id, "segments": segments, "price_pence": price}

    def tell_status(self, message_id: str, status: str) -> str:
        """The outcome: of what ends a message the first counts, and what fails gives back."""
        message = self.messages.get(message_id)
        told = self.early_statuses.get(message_id) if message is None else message.status
        if told == status:
            return "duplicate" if message is not None else "pending"
        if told in FINAL or (told == "sent" and status == "queued"):
            return "ignored" if message is not None else "pending"
        if message is None:
            self.early_statuses[message_id] = status
            return "pending"
        message.status = status
        if status in FAILED:
            self.credit(f"refund:sms:{message_id}", "refund", message.price)
        return "processed"

    # Reservations

    def reserve(self, call_id: str, minutes: int, *, partial: bool) -> Answer:
        self.collect()
        reservation = self.reservations.get(call_id)
        if reservation is not None:
            if reservation.asked != minutes:
                return refused("idempotency_conflict")
            if reservation.status != "open":
                return refused("reservation_closed", status=reservation.status)
            return self._reserved(reservation, duplicate=True)
        if call_id in self.calls or f"call:{call_id}" in self.entries:
            return refused("call_already_billed")
        if self.frozen:
            return refused("wallet_frozen")

        wanted = price_of_call(minutes * 60)
        if wanted > self.free and not (partial and self.free > 0):
            return self._insufficient(wanted)
        held = min(wanted, self.free)
        self.reservations[call_id] = Reservation(minutes, minutes, held)
        return self._reserved(self.reservations[call_id], duplicate=False)

    def extend(self, call_id: str, minutes: int, *, partial: bool) -> Answer:
        self.collect()
        reservation = self.reservations.get(call_id)
        if reservation is None or reservation.status != "open":
            return refused("no_active_reservation")
        if minutes <= reservation.minutes:
            return self._reserved(reservation, duplicate=True)
        if self.frozen:
            return refused("wallet_frozen")

        more = price_of_call(minutes * 60) - reservation.pence
        if more > self.free and not (partial and self.free > 0):
            return self._insufficient(more)
        reservation.pence += min(more, self.free)
        reservation.minutes = minutes
        return self._reserved(reservation, duplicate=False)

    def release(self, call_id: str) -> Answer:
        self.collect()
        reservation = self.reservations.get(call_id)
        if reservation is None or reservation.status not in ("open", "released"):
            return refused("no_active_reservation")
        duplicate = reservation.status == "released"
        reservation.status = "released"
        if not duplicate:
            self.collect()
        return {"success": True, "duplicate": duplicate, "released_pence": reservation.pence}

    def lapse(self, call_id: str) -> None:
        """Its time has passed: nobody has to notice for its money to be free."""
        reservation = self.reservations.get(call_id)
        if reservation is not None and reservation.status == "open":
            reservation.status = "expired"

    # Calls

    def commit(self, call_id: str, seconds: int) -> Answer:
        reservation = self.reservations.get(call_id)
        if reservation is None or reservation.status == "released":
            self.collect()
            return refused("no_active_reservation", fallback_to_direct_billing=True)
        return self.bill(call_id, seconds)

    def bill(self, call_id: str, seconds: int) -> Answer:
        """Whoever tells of the call.

        What was held for it is its own; what it costs beyond comes after what older calls owe.
        """
        self.collect()
        key = f"call:{call_id}"
        if call_id in self.calls:
            if self.calls[call_id].seconds != seconds:
                return refused("idempotency_conflict")
            return self._billed(call_id, duplicate=True)

        held = 0
        reservation = self.reservations.get(call_id)
        if reservation is not None and reservation.status != "released":
            held = reservation.pence if reservation.status == "open" else 0
            reservation.status = "committed"
        duplicate = key in self.entries
        if duplicate:  # deduct_call_credits came first
            charged = -self.entries[key].change
            self.calls[call_id] = Call(seconds, charged, charged)
        else:
            cost = price_of_call(seconds)
            room = self.balance - self.held + self.debt_limit
            charged = max(0, min(cost, max(room - self.owed, min(held, room))))
            if self.frozen:
                charged = 0
            if charged:
                self._write(key, "call_deduction", -charged)
            self.calls[call_id] = Call(seconds, cost, charged)
        self.collect()
        return self._billed(call_id, duplicate=duplicate)

    # What they share

    def _write(self, key: str, kind: str, change: int) -> Answer:
        entry = Entry(kind, change, self.balance, self.balance + change)
        self.entries[key] = entry
        self.balance = entry.after
        return {"success": True, "duplicate": False, **entry.answer}

    def _replay(self, key: str, kind: str, change: int) -> Answer:
        entry = self.entries[key]
        if (entry.kind, entry.change) != (kind, change):
            return refused("idempotency_conflict")
        return {"success": True, "duplicate": True, **entry.answer}

    def _reserved(self, reservation: Reservation, *, duplicate: bool) -> Answer:
        return {
            "success": True,
            "duplicate": duplicate,
            "requested_pence": price_of_call(reservation.minutes * 60),
            "reserved_pence": reservation.pence,
            "effective_balance_pence": self.free,
            "active_reservations_pence": self.held,
        }

    def _billed(self, call_id: str, *, duplicate: bool) -> Answer:
        call, entry = self.calls[call_id], self.entries.get(f"call:{call_id}")
        reservation = self.reservations.get(call_id)
        held = reservation.pence if reservation and reservation.status == "committed" else 0
        return {
            "success": True,
            "duplicate": duplicate,
            "call_id": call_id,
            "duration_seconds": call.seconds,
            "actual_cost_pence": call.cost,
            "charged_pence": call.charged,
            "owed_pence": call.owed,
            "reserved_pence": held,
            "released_pence": max(0, held - call.cost),
            "balance_before": entry.before if entry else self.balance,
            "balance_after": entry.after if entry else self.balance,
        }

    def _insufficient(self, amount: int) -> Answer:
        return refused(
            "insufficient_balance",
            balance_pence=self.balance,
            reserved_pence=self.held,
            owed_pence=self.owed,
            required_pence=amount,
            shortfall_pence=amount - self.free,
        )


def refused(error: str, **numbers: Any) -> Answer:
    return {"success": False, "error": error, **numbers}
