"""Stripe's events over HTTP, against a real database: one payment is one credit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from ..database.pool import Database
from ..logs import describe_exception
from ..sandbox import events
from .services import (
    WHSEC,
    Service,
    balance,
    locked_wallet,
    open_wallet,
    running_service,
    service_url,
    stored_events,
    topups,
    wait_for_lock,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_service(database) as service:
        yield service


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


async def test_fifty_pounds_on_569_pounds_make_619_pounds(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=569_00)
    session = events.checkout_session(org_id, 50_00)

    answer = await service.deliver(events.checkout_completed(session, event_id="evt_50"))

    assert answer.status == 200
    assert answer.body == {"outcome": "processed", "event_id": "evt_50"}
    assert balance(connection, org_id) == 619_00
    assert topups(connection, org_id) == [(50_00, session["payment_intent"])]
    assert stored_events(connection) == {"evt_50": ("processed", 1)}


async def test_a_redelivered_event_changes_nothing(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    answers = [await service.deliver(event) for _ in range(3)]

    assert [answer.outcome for answer in answers] == [
        "200 processed",
        "200 duplicate",
        "200 duplicate",
    ]
    assert balance(connection, org_id) == 50_00


async def test_the_same_event_sixteen_times_at_once_is_a_unique_violation_or_two_credits(
    service: Service, connection: Connection
) -> None:
    """Peer bug 4: dj-stripe#1239, pay-rails/pay#371, pollinations#11522."""
    org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    answers = await asyncio.gather(*(service.deliver(event) for _ in range(16)))

    assert sorted(answer.outcome for answer in answers) == ["200 duplicate"] * 15 + [
        "200 processed"
    ]
    assert len(topups(connection, org_id)) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["checkout first", "intent first"])
@pytest.mark.parametrize("at_once", [False, True], ids=["in turn", "at once"])
async def test_both_events_of_one_payment_credit(
    service: Service, connection: Connection, order: tuple[int, int], at_once: bool
) -> None:
    """Peer bug 5: roomGPT#61."""
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 50_00)
    intent = events.payment_intent(org_id, 50_00, payment_intent_id=session["payment_intent"])
    pair = [events.checkout_completed(session), events.payment_intent_event(intent)]
    deliveries = [service.deliver(pair[index]) for index in order]

    if at_once:
        answers = await asyncio.gather(*deliveries)
    else:
        answers = [await delivery for delivery in deliveries]

    assert {answer.outcome for answer in answers} == {"200 processed"}
    assert topups(connection, org_id) == [(50_00, session["payment_intent"])]


async def test_an_event_that_failed_is_lost_because_it_was_marked_as_seen(
    service: Service, connection: Connection
) -> None:
    """Peer bug 2: dj-stripe#832, frappe/payments#240. Here the wallet doesn't exist yet."""
    org_id = uuid4()
    event = events.checkout_completed(events.checkout_session(org_id, 50_00), event_id="evt_early")

    assert (await service.deliver(event)).outcome == "500 organization_not_found"
    assert stored_events(connection) == {"evt_early": ("failed", 1)}

    open_wallet(connection, org_id=org_id)
    assert (await service.deliver(event)).outcome == "200 processed"
    assert stored_events(connection) == {"evt_early": ("processed", 2)}
    assert balance(connection, org_id) == 50_00
    assert (await service.deliver(event)).outcome == "200 duplicate"
    assert balance(connection, org_id) == 50_00


async def test_200_is_answered_before_the_work_is_done(
    service: Service, connection: Connection, connect: Callable[..., Connection]
) -> None:
    """Peer bug 3: helix#3240."""
    org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    with locked_wallet(connect(), org_id):
        delivery = asyncio.create_task(service.deliver(event))
        waiting_session = await wait_for_lock(connection)
        assert not delivery.done()
        connection.execute("select pg_cancel_backend(%s)", [waiting_session])
        assert (await delivery).outcome == "503 database_unavailable"
    assert stored_events(connection) == {}

    assert (await service.deliver(event)).outcome == "200 processed"
    assert balance(connection, org_id) == 50_00


async def test_a_connection_lost_during_the_work_is_no_reason_to_fail(
    service: Service, connection: Connection, connect: Callable[..., Connection]
) -> None:
    org_id = open_wallet(connection)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    with locked_wallet(connect(), org_id):
        delivery = asyncio.create_task(service.deliver(event))
        waiting_session = await wait_for_lock(connection)
        connection.execute("select pg_terminate_backend(%s)", [waiting_session])
        await wait_for_lock(connection, other_than=waiting_session)
    assert (await delivery).outcome == "200 processed"
    assert balance(connection, org_id) == 50_00


async def test_the_webhook_arrives_before_the_local_payment_row(
    service: Service, connection: Connection
) -> None:
    """Peer bug 6: lago-api#1373."""
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 50_00)
    rows = connection.execute("select from wallet.topups where org_id = %s", [org_id])
    assert rows.rowcount == 0

    assert (await service.deliver(events.checkout_completed(session))).outcome == "200 processed"
    assert topups(connection, org_id) == [(50_00, session["payment_intent"])]


async def test_an_unpaid_session_is_credited_or_shuts_out_its_later_success(
    service: Service, connection: Connection
) -> None:
    """Peer bug 7: AI-Shipping-Labs#1423."""
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 50_00, payment_status="unpaid")

    assert (await service.deliver(events.checkout_completed(session))).outcome == "200 pending"
    assert topups(connection, org_id) == []

    succeeded = events.checkout_async_payment_succeeded(session)
    assert (await service.deliver(succeeded)).outcome == "200 processed"
    assert (await service.deliver(succeeded)).outcome == "200 duplicate"
    assert topups(connection, org_id) == [(50_00, session["payment_intent"])]


@pytest.mark.parametrize(
    "closing",
    [events.checkout_async_payment_failed, events.checkout_expired],
    ids=["failed", "expired"],
)
async def test_a_payment_that_comes_to_nothing_moves_no_money(
    service: Service, connection: Connection, closing: Callable[..., dict[str, Any]]
) -> None:
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 50_00, payment_status="unpaid")

    assert (await service.deliver(events.checkout_completed(session))).outcome == "200 pending"
    assert (await service.deliver(closing(session))).outcome == "200 processed"
    assert topups(connection, org_id) == []


async def test_tax_is_handed_out_as_credit(service: Service, connection: Connection) -> None:
    """Peer bug 8: control-layer#1115."""
    org_id = open_wallet(connection)
    metadata = events.topup_metadata(org_id, 50_00)
    taxed = events.checkout_session(org_id, 60_00, amount_tax=10_00, metadata=metadata)
    intent = events.payment_intent(
        org_id, 60_00, payment_intent_id=taxed["payment_intent"], metadata=metadata
    )
    other = events.payment_intent(org_id, 60_00, metadata=metadata)

    for event in (
        events.checkout_completed(taxed),
        events.payment_intent_event(intent),
        events.payment_intent_event(other),
    ):
        assert (await service.deliver(event)).outcome == "200 processed"
    assert topups(connection, org_id) == [(50_00, taxed["payment_intent"]), (50_00, other["id"])]


async def test_yen_are_multiplied_by_a_hundred(service: Service, connection: Connection) -> None:
    """Peer bug 8: Paymenter#1258."""
    org_id = open_wallet(connection, currency="jpy")
    session = events.checkout_session(org_id, 5000, currency="jpy")

    assert (await service.deliver(events.checkout_completed(session))).outcome == "200 processed"
    assert balance(connection, org_id) == 5000


async def test_yen_are_taken_for_pence(service: Service, connection: Connection) -> None:
    """Peer bug 8: Paymenter#1258."""
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 5000, currency="jpy")

    answer = await service.deliver(events.checkout_completed(session))
    assert answer.outcome == "500 currency_mismatch"
    assert balance(connection, org_id) == 0


async def test_a_session_of_a_full_discount_has_no_payment_intent(
    service: Service, connection: Connection
) -> None:
    """Peer bug 8: helix#2489."""
    org_id = open_wallet(connection)
    session = events.checkout_session(
        org_id,
        0,
        amount_discount=50_00,
        payment_status="no_payment_required",
        without_payment_intent=True,
    )

    assert (await service.deliver(events.checkout_completed(session))).outcome == "200 processed"
    assert topups(connection, org_id) == []


async def test_two_endpoints_have_two_secrets_and_the_verifier_knows_one(
    database: str, connection: Connection
) -> None:
    """Peer bug 10: spatie#188. The same while Stripe rolls a secret."""
    org_id = open_wallet(connection)
    async with running_service(database, secrets="whsec_old, whsec_new") as service:
        for secret in ("whsec_old", "whsec_new"):
            event = events.checkout_completed(events.checkout_session(org_id, 50_00))
            assert (await service.deliver(event, secret)).outcome == "200 processed"
        event = events.checkout_completed(events.checkout_session(org_id, 50_00))
        assert (await service.deliver(event, "whsec_other")).outcome == "400 invalid_signature"
    assert balance(connection, org_id) == 100_00


async def test_one_of_several_signatures_in_the_header_is_enough(
    service: Service, connection: Connection
) -> None:
    """While a secret is rolled Stripe signs with the old one and the new one."""
    body = events.encode(events.invoice_paid(50_00))
    timestamp, signature = events.sign(body, WHSEC).split(",")
    header = f"{timestamp},v1={'0' * 64},{signature},v0={'0' * 64}"

    assert (await service.post(body, {"Stripe-Signature": header})).outcome == "200 ignored"


async def test_older_state_overwrites_newer(service: Service, connection: Connection) -> None:
    """Peer bug 20: cashier#1201. Everything that came before the success arrives after it."""
    org_id = open_wallet(connection)
    now = int(time.time())
    session = events.checkout_session(org_id, 50_00, payment_status="unpaid")
    payment_id = session["payment_intent"]
    processing = events.payment_intent(
        org_id, 50_00, payment_intent_id=payment_id, status="processing"
    )
    declined = events.declined_payment_intent(org_id, 50_00, payment_intent_id=payment_id)
    late = [
        events.checkout_completed(session, created=now - 30),
        events.payment_intent_event(declined, created=now - 20),
        events.payment_intent_event(processing, created=now - 10),
        events.checkout_async_payment_failed(session, created=now - 5),
    ]

    succeeded = events.checkout_async_payment_succeeded(session, created=now)
    assert (await service.deliver(succeeded)).outcome == "200 processed"
    for event in late:
        assert (await service.deliver(event)).status == 200

    assert topups(connection, org_id) == [(50_00, payment_id)]
    assert topup_statuses(connection, org_id) == ["paid"]


async def test_of_equal_timestamps_the_newer_is_dropped(
    service: Service, connection: Connection
) -> None:
    """Peer bug 20: sync-engine#268."""
    org_id = open_wallet(connection)
    now = int(time.time())
    session = events.checkout_session(org_id, 50_00, payment_status="unpaid")
    other = events.checkout_session(org_id, 20_00)

    for event in (
        events.checkout_completed(session, created=now),
        events.checkout_async_payment_succeeded(session, created=now),
        events.checkout_completed(other, created=now),
    ):
        assert (await service.deliver(event)).status == 200

    assert balance(connection, org_id) == 70_00
    assert topup_statuses(connection, org_id) == ["paid", "paid"]


@pytest.mark.parametrize("status", ["requires_action", "processing", "canceled"])
async def test_the_state_of_an_attempt_moves_no_money(
    service: Service, connection: Connection, status: str
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    intent = events.payment_intent(org_id, 50_00, status=status)

    assert (await service.deliver(events.payment_intent_event(intent))).status == 200
    assert balance(connection, org_id) == 10_00


async def test_money_that_goes_back_takes_its_credits_along_once(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 50_00)
    payment_id = session["payment_intent"]
    await service.deliver(events.checkout_completed(session))

    charge = events.charge(org_id, 50_00, payment_intent_id=payment_id, amount_refunded=50_00)
    for event in (
        events.refund_created(events.refund(50_00, payment_intent_id=payment_id)),
        events.charge_refunded(charge),
        events.charge_dispute_created(events.dispute(50_00, payment_intent_id=payment_id)),
    ):
        assert (await service.deliver(event)).outcome == "200 processed"
        assert (await service.deliver(event)).outcome == "200 duplicate"
        assert balance(connection, org_id) == 0


async def test_an_event_that_is_none_of_our_business_is_taken_and_ignored(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    subscription = events.checkout_session(org_id, 50_00, metadata={"plan": "pro"})

    assert (await service.deliver(events.invoice_paid(50_00))).outcome == "200 ignored"
    answer = await service.deliver(events.checkout_completed(subscription))
    assert answer.outcome == "200 ignored"
    assert balance(connection, org_id) == 0


async def test_health_shows_that_events_wait_for_an_operator(
    service: Service, connection: Connection
) -> None:
    assert (await service.health()).body["database"]["events_failed"] == 0
    session = events.checkout_session(uuid4(), 50_00)
    await service.deliver(events.checkout_completed(session))

    answer = await service.health()
    assert (answer.status, answer.body["status"]) == (200, "ok")
    assert answer.body["database"]["events_failed"] == 1


async def test_the_log_line_names_the_event_and_the_money_and_nothing_of_the_customer(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=569_00)
    event = events.checkout_completed(events.checkout_session(org_id, 50_00))

    with capture_logs() as lines:
        await service.deliver(event)

    [line] = lines
    assert line.pop("durationMs") >= 0
    assert line == {
        "log_level": "info",
        "event": "request",
        "method": "POST",
        "path": "/api/webhooks/stripe",
        "status": 200,
        "eventId": event["id"],
        "eventType": "checkout.session.completed",
        "orgId": str(org_id),
        "outcome": "processed",
        "duplicate": False,
        "amountPence": 50_00,
        "balanceBefore": 569_00,
        "balanceAfter": 619_00,
    }


async def test_a_fault_of_ours_is_a_500_that_tells_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_keywords: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(Database, "call", fail)
    with capture_logs(processors=[describe_exception]) as lines:
        answer = await service.deliver(events.invoice_paid(1))

    assert answer.outcome == "500 internal_error"
    assert [line["event"] for line in lines] == ["unexpected_error", "request"]
    assert lines[0]["errorType"] == "RuntimeError"
    assert "hunter2" not in f"{answer.body} {lines}"


async def test_a_role_with_table_privileges_is_warned_of(database: str) -> None:
    """The tests' service holds none; the database's owner holds them all."""
    for url, warned in ((database, True), (service_url(database), False)):
        pool = Database(url, pool_size=1, timeout=5)
        with capture_logs() as lines:
            await pool.open()
            assert await pool.call("select 1") == 1
            await pool.close()
        assert [line["event"] for line in lines] == ["role_holds_table_privileges"] * warned


def topup_statuses(connection: Connection, org_id: UUID) -> list[str]:
    rows = connection.execute("select status from wallet.topups where org_id = %s", [org_id])
    return [status for (status,) in rows]
