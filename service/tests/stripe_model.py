"""Payments as they go at Stripe, the events that tell of them, and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import psycopg
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from ..sandbox import events

Connection = psycopg.Connection[Any]
Event = dict[str, Any]

# Small, so that rounding matters and limits are met.
PRICES = st.integers(1, 25)
TAXES = st.integers(0, 5)
BONUSES = st.integers(0, 9)
PARTS = st.integers(1, 12)
WAYS = st.sampled_from(["card", "second card", "bank debit", "off session"])


@dataclass
class Refund:
    id: str
    amount: int
    status: str

    @property
    def is_gone(self) -> bool:
        return self.status not in ("failed", "canceled")


@dataclass
class Dispute:
    id: str
    amount: int
    status: str = "needs_response"
    withdrawn: bool = False
    reinstated: bool = False

    @property
    def is_gone(self) -> bool:
        return self.withdrawn and not self.reinstated


@dataclass
class Payment:
    """One payment: what it gives, what Stripe took for it, and all that Stripe tells of it.

    By a plan it begins with a top-up of ours, whose id it carries.
    """

    org_id: UUID
    number: int
    price: int
    tax: int
    credit: int
    bonus: int
    by_plan: bool = False
    topup_id: str | None = None
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    amount_refunded: int = 0  # as the charge has it

    @property
    def charged(self) -> int:
        return self.price + self.tax

    @property
    def granted(self) -> int:
        return self.credit + self.bonus

    @property
    def reversed(self) -> int:
        """The share of what was granted whose money is gone, halves up, never more than all."""
        refunded = sum(refund.amount for refund in self.refunds if refund.is_gone)
        disputed = sum(dispute.amount for dispute in self.disputes if dispute.is_gone)
        gone = min(refunded + disputed, self.charged)
        return (2 * self.granted * gone + self.charged) // (2 * self.charged)

    @property
    def worth(self) -> int:
        return self.granted - self.reversed

    @property
    def refundable(self) -> int:
        return self.charged - self.amount_refunded

    @property
    def intent_id(self) -> str:
        return self._id("pi")

    def pay(self, way: str) -> None:
        if way == "second card":
            self._tell("payment_intent.payment_failed", self._intent("requires_payment_method"))
        if way == "bank debit":
            self._tell("checkout.session.completed", self._session("unpaid"))
            self._tell("payment_intent.processing", self._intent("processing"))
            self._tell("checkout.session.async_payment_succeeded", self._session("paid"))
        elif way != "off session":
            self._tell("checkout.session.completed", self._session("paid"))
        self._tell("payment_intent.succeeded", self._intent("succeeded"))

    def refund(self, amount: int, status: str) -> Refund:
        refund = Refund(self._id("re", len(self.refunds)), min(amount, self.refundable), status)
        self.refunds.append(refund)
        self.amount_refunded += refund.amount
        charge = events.charge(
            self.org_id,
            self.charged,
            payment_intent_id=self.intent_id,
            amount_refunded=self.amount_refunded,
        )
        self._tell("refund.created", self._refund(refund))
        self._tell("charge.refunded", charge)
        return refund

    def end_refund(self, refund: Refund, status: str, *, leaves_sum: bool) -> None:
        """Stripe doesn't promise that a charge's sum goes down with a refund that failed."""
        refund.status = status
        if not refund.is_gone and not leaves_sum:
            self.amount_refunded -= refund.amount
        self._tell("refund.updated", self._refund(refund))
        if status == "failed":
            self._tell("refund.failed", self._refund(refund))

    def dispute(self, amount: int) -> Dispute:
        dispute = Dispute(self._id("du", len(self.disputes)), min(amount, self.charged))
        self.disputes.append(dispute)
        self._tell("charge.dispute.created", self._dispute(dispute))
        return dispute

    def withdraw(self, dispute: Dispute) -> None:
        dispute.withdrawn = True
        self._tell("charge.dispute.funds_withdrawn", self._dispute(dispute))

    def close(self, dispute: Dispute, *, won: bool) -> None:
        """One that has withdrawn nothing was an inquiry and just ends."""
        dispute.status = ("won" if won else "lost") if dispute.withdrawn else "warning_closed"
        self._tell("charge.dispute.closed", self._dispute(dispute))
        if dispute.status == "won":
            dispute.reinstated = True
            self._tell("charge.dispute.funds_reinstated", self._dispute(dispute))

    def warn(self) -> None:
        warning = events.early_fraud_warning(
            created=0, charge_id=self._id("ch"), payment_intent_id=self.intent_id
        )
        self._tell("radar.early_fraud_warning.created", warning | {"id": self._id("issfr")})

    def _tell(self, event_type: str, data_object: Event) -> None:
        event_id = self._id("evt", len(self.events))
        self.events.append(events.event(event_type, data_object, event_id=event_id))

    def _session(self, payment_status: str) -> Event:
        return events.checkout_session(
            self.org_id,
            self.charged,
            session_id=self._id("cs"),
            payment_intent_id=self.intent_id,
            amount_tax=self.tax,
            payment_status=payment_status,
            metadata=self._metadata,
        )

    def _intent(self, status: str) -> Event:
        return events.payment_intent(
            self.org_id,
            self.charged,
            payment_intent_id=self.intent_id,
            status=status,
            metadata=self._metadata,
        )

    def _refund(self, refund: Refund) -> Event:
        told = events.refund(refund.amount, payment_intent_id=self.intent_id, status=refund.status)
        return told | {"id": refund.id}

    def _dispute(self, dispute: Dispute) -> Event:
        told = events.dispute(
            dispute.amount, payment_intent_id=self.intent_id, status=dispute.status
        )
        return told | {"id": dispute.id}

    @property
    def _metadata(self) -> dict[str, str]:
        metadata = events.topup_metadata(self.org_id, self.credit)
        return metadata if self.topup_id is None else metadata | {"topup_id": self.topup_id}

    def _id(self, prefix: str, number: int = 0) -> str:
        """The same in every run, but in no order."""
        return f"{prefix}_{uuid5(self.org_id, f'{self.number} {prefix} {number}').hex}"


def is_credit(event: Event) -> bool:
    if event["type"].startswith("checkout.session."):
        return bool(event["data"]["object"]["payment_status"] == "paid")
    return bool(event["type"] == "payment_intent.succeeded")


@st.composite
def terms(draw: st.DrawFn) -> dict[str, Any]:
    """What is paid, and what it credits: the same, or what a plan of ours says."""
    price = draw(PRICES)
    plan = draw(st.none() | st.tuples(PRICES, BONUSES))
    credit, bonus = plan or (price, 0)
    return {
        "price": price,
        "tax": draw(TAXES),
        "credit": credit,
        "bonus": bonus,
        "by_plan": plan is not None,
    }


@st.composite
def histories(draw: st.DrawFn, payment: Payment) -> list[Event]:
    """Some of what can become of this payment."""
    payment.pay(draw(WAYS))
    for amount in draw(st.lists(PARTS, max_size=4)):
        if payment.refundable:
            refund = payment.refund(amount, "pending")
            status = draw(st.sampled_from(["pending", "succeeded", "failed", "canceled"]))
            if status != "pending":
                payment.end_refund(refund, status, leaves_sum=draw(st.booleans()))
    for amount in draw(st.lists(PARTS, max_size=2)):
        dispute = payment.dispute(amount)
        if draw(st.booleans()):
            payment.withdraw(dispute)
        if draw(st.booleans()):
            payment.close(dispute, won=draw(st.booleans()))
    return payment.events


def begin_topup(connection: Connection, payment: Payment) -> dict[str, Any]:
    plan = f"plan {payment.number}"
    query = "select wallet.set_topup_plan(%s, 'a plan', 'gbp', %s, %s, 'a test', %s)"
    call(connection, query, plan, payment.price, payment.credit, payment.bonus)
    call(connection, "select wallet.attach_stripe_customer(%s, 'cus_1')", payment.org_id)
    query = "select wallet.begin_topup(%s, null, %s, p_return_url => 'https://example.com')"
    return call(connection, query, payment.org_id, plan)


def tell(connection: Connection, payment: Payment, event: Event | None) -> dict[str, Any]:
    """Without an event it is a backend that tells, of no more than that this was paid."""
    if event is None:
        query = "select wallet.add_wallet_credits(%s, %s, 'topup', %s)"
        answer = call(connection, query, payment.org_id, payment.credit, payment.intent_id)
    else:
        answer = call(connection, "select wallet.process_stripe_event(%s)", Jsonb(event))
    assert answer["success"], answer
    return answer


def call(connection: Connection, query: Any, *args: Any) -> dict[str, Any]:
    [(answer,)] = connection.execute(query, args).fetchall()
    assert isinstance(answer, dict)
    return answer
