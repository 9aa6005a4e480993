"""Payments, refunds and disputes told in any order, held against what Stripe itself has left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import permutations
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from .services import balance, open_wallet
from .stripe_model import (
    PARTS,
    WAYS,
    Connection,
    Dispute,
    Event,
    Payment,
    Refund,
    begin_topup,
    call,
    histories,
    is_credit,
    tell,
    terms,
)

Connect = Callable[..., Connection]

ORGANIZATIONS = [UUID(int=1), UUID(int=2)]
PAYMENTS = 4  # few, so that much happens to each
ORGANIZATION = st.sampled_from(ORGANIZATIONS)
PICK = st.integers(0, 63)
ORDER = st.randoms(use_true_random=False)

SETTINGS = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)

DISPUTE = "charge.dispute."
WARNING = "radar.early_fraud_warning."


class Deliveries(RuleBasedStateMachine):
    """Payments of two wallets, and a Stripe that delivers its events as it likes.

    A run is a transaction that is rolled back, so that the books that are checked stay small.
    """

    payments: Bundle[Payment] = Bundle("payments")
    refunds: Bundle[tuple[Payment, Refund]] = Bundle("refunds")
    disputes: Bundle[tuple[Payment, Dispute]] = Bundle("disputes")

    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.example = ExitStack()
        self.example.enter_context(self.connection.transaction(force_rollback=True))
        self.made: list[Payment] = []
        self.credited: set[str] = set()
        self.delivered: set[str] = set()
        self.lifted: set[str] = set()
        self.spent = dict.fromkeys(ORGANIZATIONS, 0)
        for org_id in ORGANIZATIONS:
            open_wallet(self.connection, org_id=org_id)
            self.call("select wallet.set_debt_limit(%s, 20, 'a test')", org_id)

    def teardown(self) -> None:
        self.example.close()

    # What happens at Stripe.

    @precondition(lambda self: len(self.made) < PAYMENTS)
    @rule(target=payments, org_id=ORGANIZATION, terms=terms(), way=WAYS)
    def pay(self, org_id: UUID, terms: dict[str, Any], way: str) -> Any:
        payment = Payment(org_id, len(self.made), **terms)
        if payment.by_plan:
            begun = begin_topup(self.connection, payment)
            if self.freezes(org_id, DISPUTE) - self.lifted:
                assert begun["error"] == "wallet_frozen"
                return multiple()
            payment.topup_id = begun["topup_id"]
        payment.pay(way)
        self.made.append(payment)
        return payment

    @rule(
        target=refunds,
        payment=payments,
        amount=PARTS,
        status=st.sampled_from(["pending", "succeeded"]),
    )
    def refund(self, payment: Payment, amount: int, status: str) -> Any:
        if not payment.refundable:
            return multiple()
        return payment, payment.refund(amount, status)

    @rule(
        refund=consumes(refunds),
        status=st.sampled_from(["succeeded", "failed", "canceled"]),
        leaves_sum=st.booleans(),
    )
    def end_refund(self, refund: tuple[Payment, Refund], status: str, leaves_sum: bool) -> None:
        payment, ended = refund
        payment.end_refund(ended, status, leaves_sum=leaves_sum)

    @rule(target=disputes, payment=payments, amount=PARTS, withdraws=st.booleans())
    def dispute(self, payment: Payment, amount: int, withdraws: bool) -> tuple[Payment, Dispute]:
        dispute = payment.dispute(amount)
        if withdraws:
            payment.withdraw(dispute)
        return payment, dispute

    @rule(dispute=consumes(disputes), won=st.booleans())
    def close_dispute(self, dispute: tuple[Payment, Dispute], won: bool) -> None:
        payment, closed = dispute
        payment.close(closed, won=won)

    @rule(payment=payments)
    def warn(self, payment: Payment) -> None:
        payment.warn()

    # What reaches the wallets.

    @precondition(lambda self: self.made)
    @rule(picks=st.lists(PICK, min_size=1, max_size=8))
    def deliver_some(self, picks: list[int]) -> None:
        """The same event twice among them, or one that was delivered long ago."""
        events = self.events
        for pick in picks:
            self.deliver(*events[pick % len(events)])

    @precondition(lambda self: self.made)
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        """The service dies before it commits."""
        with self.connection.transaction(force_rollback=True):
            tell(self.connection, *self.events[pick % len(self.events)])

    @rule(payment=payments, order=ORDER)
    def deliver_the_rest(self, payment: Payment, order: Random) -> None:
        rest = self.undelivered(payment)
        order.shuffle(rest)
        for event in rest:
            self.deliver(payment, event)

    @rule(payment=payments, key=st.sampled_from([None, "our own"]))
    def credit_from_backend(self, payment: Payment, key: str | None) -> None:
        """A backend that was told of a payment by the browser, before or after the events."""
        answer = self.call(
            "select wallet.add_wallet_credits(%s, %s, 'topup', %s, p_idempotency_key => %s)",
            *(payment.org_id, payment.credit, payment.intent_id, key and f"{key} {payment.number}"),
        )
        assert answer["success"]
        assert answer["duplicate"] == (payment.intent_id in self.credited)
        self.credited.add(payment.intent_id)

    @rule(org_id=ORGANIZATION, amount=PARTS)
    def spend(self, org_id: UUID, amount: int) -> None:
        query = "select wallet.deduct_call_credits(%s, gen_random_uuid()::text, null, 1, 0, %s)"
        if self.call(query, org_id, amount)["success"]:
            self.spent[org_id] += amount

    @rule(org_id=ORGANIZATION)
    def unfreeze(self, org_id: UUID) -> None:
        frozen = self.freezes(org_id, DISPUTE, WARNING)
        answer = self.call("select wallet.unfreeze_wallet(%s, 'a reason', 'a test')", org_id)
        assert answer["lifted"] == len(frozen - self.lifted)
        self.lifted |= frozen

    # What holds after each step.

    @invariant()
    def the_books_are_right(self) -> None:
        assert self.rows("select * from wallet.validate_credits_consistency()") == []
        assert self.rows("select * from wallet.verify_ledger()") == []

    @invariant()
    def what_was_told_in_full_is_worth_what_stripe_says(self) -> None:
        entries = self.entries()
        assert entries.keys() == self.credited
        for payment in self.made:
            granted, left = entries.get(payment.intent_id, (0, 0))
            assert granted in (0, payment.credit, payment.granted)
            assert 0 <= left <= granted
            if not self.undelivered(payment):
                assert left == payment.worth

    @invariant()
    def the_balance_is_what_is_left_of_payments_and_not_spent(self) -> None:
        entries = self.entries()
        for org_id in ORGANIZATIONS:
            left = [entries.get(p.intent_id, (0, 0))[1] for p in self.made if p.org_id == org_id]
            assert balance(self.connection, org_id) == sum(left) - self.spent[org_id]

    @invariant()
    def each_dispute_and_warning_freezes_once(self) -> None:
        query = "select org_id, stripe_id, lifted_at is not null from wallet.wallet_freezes"
        expected = [
            (org_id, stripe_id, stripe_id in self.lifted)
            for org_id in ORGANIZATIONS
            for stripe_id in self.freezes(org_id, DISPUTE, WARNING)
        ]
        assert sorted(self.rows(query)) == sorted(expected)

    @invariant()
    def nothing_waits_for_a_credit_that_is_there(self) -> None:
        query = """
            select event_data #>> '{data,object,payment_intent}'
              from wallet.processed_stripe_webhooks
             where status <> 'processed'
        """
        assert self.credited.isdisjoint(intent_id for (intent_id,) in self.rows(query))

    # What the rules need.

    @property
    def events(self) -> list[tuple[Payment, Event]]:
        return [(payment, event) for payment in self.made for event in payment.events]

    def undelivered(self, payment: Payment) -> list[Event]:
        return [event for event in payment.events if event["id"] not in self.delivered]

    def entries(self) -> dict[str, tuple[int, int]]:
        """What each payment was credited with, and what is left of it."""
        query = """
            select stripe_payment_intent_id,
                   sum(amount_pence) filter (where type <> 'topup_reversal'),
                   sum(case direction when 'credit' then amount_pence else -amount_pence end)
              from wallet.credit_transactions
             where stripe_payment_intent_id is not null
             group by stripe_payment_intent_id
        """
        return {intent_id: (granted, left) for intent_id, granted, left in self.rows(query)}

    def deliver(self, payment: Payment, event: Event) -> None:
        tell(self.connection, payment, event)
        self.delivered.add(event["id"])
        if is_credit(event):
            self.credited.add(payment.intent_id)

    def freezes(self, org_id: UUID, *types: str) -> set[str]:
        """The disputes and warnings that a wallet has been told of."""
        return {
            event["data"]["object"]["id"]
            for payment in self.made
            if payment.org_id == org_id and payment.intent_id in self.credited
            for event in payment.events
            if event["id"] in self.delivered and event["type"].startswith(types)
        }

    def call(self, query: Any, *args: Any) -> dict[str, Any]:
        return call(self.connection, query, *args)

    def rows(self, query: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()


def test_what_is_left_of_a_payment_is_what_stripe_has_left(connect: Connect) -> None:
    class Wallets(Deliveries):
        connection = connect()

    run_state_machine_as_test(
        Wallets, settings=settings(SETTINGS, max_examples=100, stateful_step_count=50)
    )


def test_the_order_of_events_changes_nothing(connect: Connect) -> None:
    """Nor does their number, and not even while some are still to come."""
    connection = connect()

    @settings(SETTINGS, max_examples=250)
    @given(data=st.data())
    def tell_in_two_orders(data: st.DataObject) -> None:
        with connection.transaction(force_rollback=True):
            payment = Payment(open_wallet(connection, org_id=UUID(int=1)), 0, **data.draw(terms()))
            if payment.by_plan:
                payment.topup_id = begin_topup(connection, payment)["topup_id"]
            events = data.draw(histories(payment))
            some = data.draw(st.lists(st.sampled_from([None, *events]), min_size=5, max_size=20))
            rest = data.draw(st.permutations(events))

            balances = told(connection, payment, some, rest)
            assert told(connection, payment, data.draw(st.permutations(some)), rest) == balances
            assert balances[-1] == payment.worth

    tell_in_two_orders()


@pytest.mark.parametrize("way", ["card", "bank debit"])
def test_every_order_of_a_payment_whose_credit_grows_after_its_refund(
    connect: Connect, way: str
) -> None:
    """A backend knows neither bonus nor tax, and of its credit alone the refund is too little."""
    connection = connect()
    payment = Payment(open_wallet(connection), 0, price=20, tax=5, credit=1, bonus=9)
    payment.topup_id = begin_topup(connection, payment)["topup_id"]
    payment.pay(way)
    payment.refund(12, "succeeded")
    events = [event for event in payment.events if "payment_intent." not in event["type"]]

    for order in permutations([None, *events]):
        assert told(connection, payment, order) == [5]


def told(connection: Connection, payment: Payment, *parts: Sequence[Event | None]) -> list[int]:
    """The balance after each part, as if nothing of it had been told before."""
    balances = []
    with connection.transaction(force_rollback=True):
        for part in parts:
            for event in part:
                tell(connection, payment, event)
            balances.append(balance(connection, payment.org_id))
    return balances
