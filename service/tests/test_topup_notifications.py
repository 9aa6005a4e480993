"""Who listens is told of a payment once it is committed, and of nothing that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ..sandbox import events
from .services import open_wallet

Connection = psycopg.Connection[Any]

CHANNEL = "pgwallet_topups"
END = "the end of the test"
ARRIVAL_SECONDS = 30


class Listener:
    """A session that waits for top-ups, as the service does for the page."""

    def __init__(self, waiting: Connection, other: Connection) -> None:
        self._waiting = waiting
        self._other = other
        waiting.execute(f"listen {CHANNEL}")

    def heard(self) -> list[str]:
        """All that was told so far, in order: notifications arrive in the order of commits."""
        self._other.execute("select pg_notify(%s, %s)", [CHANNEL, END])
        heard: list[str] = []
        for notification in self._waiting.notifies(timeout=ARRIVAL_SECONDS):
            if notification.payload == END:
                return heard
            heard.append(notification.payload)
        raise AssertionError(f"{END} was never told, only {heard}")


@pytest.fixture
def listener(connect: Callable[..., Connection]) -> Listener:
    return Listener(connect(), connect())


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def begin_topup(connection: Connection, org_id: UUID) -> dict[str, Any]:
    """A top-up of £50.00 that Stripe has made a session for."""
    call = "select wallet.begin_topup(%s, 5000, p_return_url => 'https://acme.example/wallet')"
    connection.execute("select wallet.attach_stripe_customer(%s, 'cus_1')", [org_id])
    [(begun,)] = connection.execute(call, [org_id]).fetchall()
    session = {
        "id": f"cs_{begun['topup_id']}",
        "url": "https://checkout.stripe.com/c/pay/cs",
        "expires_at": 4000000000,
        "metadata": begun["request"]["params"]["metadata"],
    }
    connection.execute(
        "select wallet.attach_checkout_session(%s, %s, %s)",
        [org_id, begun["topup_id"], Jsonb(session)],
    )
    assert isinstance(begun, dict)
    return begun


def pay(connection: Connection, org_id: UUID, begun: dict[str, Any]) -> None:
    session = events.checkout_session(
        org_id,
        5000,
        session_id=f"cs_{begun['topup_id']}",
        metadata=begun["request"]["params"]["metadata"],
    )
    deliver(connection, events.checkout_completed(session))


def deliver(connection: Connection, event: dict[str, Any]) -> None:
    [(answer,)] = connection.execute(
        "select wallet.process_stripe_event(%s)", [Jsonb(event)]
    ).fetchall()
    assert answer["outcome"] == "processed"


def test_a_payment_is_told_at_commit_and_not_before(
    listener: Listener, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    begun = begin_topup(connection, org_id)
    assert listener.heard() == []

    with connection.transaction():
        pay(connection, org_id, begun)
        assert listener.heard() == []
    assert listener.heard() == [str(org_id)]


def test_whoever_is_told_finds_the_payment_in_the_ledger(
    listener: Listener, connection: Connection, connect: Callable[..., Connection]
) -> None:
    org_id = open_wallet(connection)
    pay(connection, org_id, begin_topup(connection, org_id))
    assert listener.heard() == [str(org_id)]

    [(entries,)] = connect().execute(
        "select count(*) from wallet.credit_transactions where org_id = %s", [org_id]
    )
    assert entries == 1


def test_what_is_rolled_back_is_never_told(listener: Listener, connection: Connection) -> None:
    org_id = open_wallet(connection)
    begun = begin_topup(connection, org_id)
    with connection.transaction(force_rollback=True):
        pay(connection, org_id, begun)
    assert listener.heard() == []
    pay(connection, org_id, begun)
    assert listener.heard() == [str(org_id)]


def test_each_organization_is_named_and_told_once_a_transaction(
    listener: Listener, connection: Connection
) -> None:
    first, second = open_wallet(connection), open_wallet(connection)
    begun = [(org_id, begin_topup(connection, org_id)) for org_id in (first, second)]
    with connection.transaction():
        for org_id, topup in begun:
            intent = events.payment_intent(
                org_id,
                5000,
                status="processing",
                metadata=topup["request"]["params"]["metadata"],
            )
            connection.execute(
                "select wallet.process_stripe_event(%s)",
                [Jsonb(events.payment_intent_event(intent))],
            )
            pay(connection, org_id, topup)
    assert sorted(listener.heard()) == sorted([str(first), str(second)])


def test_charges_and_credits_that_nobody_waits_for_are_not_told(
    listener: Listener, connection: Connection
) -> None:
    """Those who notify commit one after the other, which charges must not."""
    org_id = open_wallet(connection, balance_pence=100_00)
    begun = begin_topup(connection, org_id)
    pay(connection, org_id, begun)
    assert listener.heard() == [str(org_id)]

    for query in (
        "select wallet.deduct_call_credits(%s, 'call-1', null, 10, 50, 100)",
        "select wallet.add_wallet_credits(%s, 5000, 'topup', 'pi_backend')",
        "select wallet.add_wallet_credits(%s, 50, 'bonus', p_idempotency_key => 'bonus')",
        "select wallet.check_balance_and_deduct_asset_cost(%s, 100, 'did', 'a number', 'did')",
        "select wallet.reserve_call_credits(%s, 'call-2')",
        "select wallet.set_debt_limit(%s, 700, 'ann')",
        "select wallet.begin_topup(%s, 6000, p_return_url => 'https://acme.example/wallet')",
    ):
        [(answer,)] = connection.execute(query, [org_id]).fetchall()
        assert answer["success"], query
    # A payment that was started elsewhere, and the paid one told again.
    deliver(connection, events.checkout_completed(events.checkout_session(org_id, 5000)))
    pay(connection, org_id, begun)
    assert listener.heard() == []


@pytest.mark.each_server
def test_a_login_of_the_service_may_listen(connect: Callable[..., Connection]) -> None:
    admin = connect()
    login = f"listener_{uuid4().hex[:8]}"
    admin.execute(f"create role {login} login")
    try:
        admin.execute(f"grant wallet_webhook to {login}")
        org_id = open_wallet(admin)
        listener = Listener(connect(user=login), admin)
        pay(admin, org_id, begin_topup(admin, org_id))
        assert listener.heard() == [str(org_id)]
    finally:
        admin.execute(f"drop role {login}")
