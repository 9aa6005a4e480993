"""Sessions that tell of one payment at the same time: its credit, and what takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .services import balance, open_wallet, wait_for_lock
from .stripe_model import Connection, Event, Payment, begin_topup, histories, tell, terms

Connect = Callable[..., Connection]

SESSIONS = 8
BACKEND = "add_wallet_credits"
CREDITS = ["checkout.session.completed", "payment_intent.succeeded", BACKEND]
REVERSALS = ["refund.created", "charge.refunded", "charge.dispute.funds_withdrawn"]


@pytest.mark.parametrize("credit", CREDITS)
@pytest.mark.parametrize("reversal", REVERSALS)
async def test_a_credit_and_its_reversal_at_once_do_not_miss_each_other(
    connect: Connect, credit: str, reversal: str
) -> None:
    judge, blocker, *sessions = (connect() for _ in range(4))

    for was_parked, order in product((False, True), ((credit, reversal), (reversal, credit))):
        payment = disputed_payment(judge)
        if was_parked:
            # And is delivered again while the credit lands.
            assert tell(judge, payment, named(payment, reversal))["outcome"] == "pending"

        with held_up(blocker, payment):
            first, second = (
                asyncio.to_thread(tell, session, payment, named(payment, name))
                for session, name in zip(sessions, order, strict=True)
            )
            told_first = asyncio.create_task(first)
            waiting = await wait_for_lock(judge)
            told_second = asyncio.create_task(second)
            await wait_for_lock(judge, waiting)
        await asyncio.gather(told_first, told_second)

        assert balance(judge, payment.org_id) == 15_00
        assert parked_events(judge) == []


async def test_a_reversal_is_delivered_again_while_its_credit_applies_it(connect: Connect) -> None:
    judge, crediting, redelivering = connect(), connect(), connect()
    payment = disputed_payment(judge)
    refund = named(payment, "refund.created")
    tell(judge, payment, refund)

    with crediting.transaction():
        tell(crediting, payment, named(payment, "payment_intent.succeeded"))
        again = asyncio.create_task(asyncio.to_thread(tell, redelivering, payment, refund))
        await wait_for_lock(judge)

    assert (await again)["outcome"] == "duplicate"
    assert balance(judge, payment.org_id) == 15_00


def test_sessions_that_tell_of_payments_at_once_agree_with_stripe(connect: Connect) -> None:
    """Every event twice or more, of two payments into one wallet, without a deadlock."""
    judge, *sessions = (connect() for _ in range(1 + SESSIONS))

    @settings(
        max_examples=250,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a race that was lost may be won the next time
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(data=st.data(), order=st.randoms(use_true_random=False))
    def race(data: st.DataObject, order: Random) -> None:
        org_id = open_wallet(judge)
        payments = [Payment(org_id, number, **data.draw(terms())) for number in range(2)]
        tellings: list[tuple[Payment, Event | None]] = []
        for payment in payments:
            if payment.by_plan:
                payment.topup_id = begin_topup(judge, payment)["topup_id"]
            events = data.draw(histories(payment))
            tellings += [(payment, event) for event in [None, *events, *events]]
        order.shuffle(tellings)

        with ThreadPoolExecutor(SESSIONS) as pool:
            shares = [tellings[start::SESSIONS] for start in range(SESSIONS)]
            list(pool.map(tell_all, sessions, shares))

        assert balance(judge, org_id) == sum(payment.worth for payment in payments)
        assert parked_events(judge) == []

    race()


def disputed_payment(connection: Connection) -> Payment:
    """£20, with a refund and a dispute of £5 each."""
    payment = Payment(open_wallet(connection), number=0, price=20_00, tax=0, credit=20_00, bonus=0)
    payment.pay("card")
    payment.refund(5_00, "succeeded")
    payment.withdraw(payment.dispute(5_00))
    return payment


@contextmanager
def held_up(connection: Connection, payment: Payment) -> Iterator[None]:
    """Whoever tells of this payment queues until the end of the block."""
    with connection.transaction():
        connection.execute("select wallet.lock_payment_intent(%s)", [payment.intent_id])
        yield


def named(payment: Payment, name: str) -> Event | None:
    """What tells of this; nothing but the backend itself where it is the backend's call."""
    return next((event for event in payment.events if event["type"] == name), None)


def tell_all(session: Connection, tellings: list[tuple[Payment, Event | None]]) -> None:
    for payment, event in tellings:
        tell(session, payment, event)


def parked_events(connection: Connection) -> list[tuple[Any, ...]]:
    """What still waits for a credit; every payment here has one."""
    return connection.execute(
        """
        select event_id, event_type from wallet.processed_stripe_webhooks
         where status <> 'processed' and event_data #>> '{data,object,payment_intent}' is not null
        """
    ).fetchall()
