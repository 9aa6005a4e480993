"""Sessions that tell of one payment at the same time: its credit, and what takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from .services import balance, open_wallet, wait_for_lock
from .stripe_model import Event, Payment, credited_intent, histories

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Telling = Callable[[Connection], dict[str, Any]]

SESSIONS = 8


def tell(event: Event) -> Telling:
    return lambda session: call(session, "select wallet.process_stripe_event(%s)", Jsonb(event))


def tell_by_backend(payment: Payment) -> Telling:
    query = "select wallet.add_wallet_credits(%s, %s, 'topup', %s)"
    return lambda session: call(session, query, payment.org_id, payment.credit, payment.intent_id)


def call(session: Connection, query: Any, *args: Any) -> dict[str, Any]:
    [(answer,)] = session.execute(query, args).fetchall()
    assert isinstance(answer, dict)
    assert answer["success"], answer
    return answer


def reversed_payments(org_id: UUID) -> Iterator[tuple[Payment, Telling, Telling]]:
    """Every way to tell of a credit with every way to tell that a part of it is gone."""
    for number in range(9):
        payment = Payment(org_id, number, price=20_00, tax=4_00, credit=20_00, bonus=0)
        payment.pay("card")
        credits_told = [tell(event) for event in payment.events if credited_intent(event)]
        if number % 3 == 2:
            payment.withdraw(payment.dispute(6_00))
        else:
            payment.refund(6_00, "succeeded")
        credit = [*credits_told, tell_by_backend(payment)][number // 3]
        reversal = tell(payment.events[-1 - number % 3 % 2])
        yield payment, credit, reversal
