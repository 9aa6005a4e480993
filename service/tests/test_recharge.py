"""Automatic recharges: one shortage is one charge, whatever Stripe and the network do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from stripe import StripeClient
from structlog.testing import capture_logs

from ..database.pool import Database
from ..worker import recharge
from ..worker.recharge import settle_recharges
from .recharges import (
    AMOUNT,
    INTENTS,
    THRESHOLD,
    attempts,
    let_cooldown_end,
    let_keys_grow_old,
    let_leases_end,
    obstacle,
    open_recharging_wallet,
    spend,
    states,
    topics,
)
from .sandboxes import RunningSandbox, connected, running_test_sandbox
from .services import balance, locked_wallet, topups
from .workers import worker_url

Connection = psycopg.Connection[Any]
Settle = Callable[..., Awaitable[int]]


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@asynccontextmanager
async def worker_database(database: str, patience: float = 10) -> AsyncIterator[Database]:
    opened = Database(worker_url(database), pool_size=4, timeout=patience)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def settle(database: str, sandbox: RunningSandbox) -> AsyncIterator[Settle]:
    """Runs the worker's errand once."""
    async with worker_database(database) as opened:

        async def run(stripe: StripeClient = sandbox.stripe) -> int:
            return await settle_recharges(opened, stripe, "a worker")

        yield run


async def deliver_events(sandbox: RunningSandbox, connection: Connection) -> None:
    """Every event of the sandbox, past HTTP."""
    for event in await sandbox.objects("event"):
        connection.execute("select wallet.process_stripe_event(%s)", [Jsonb(event)])


async def asked_with(sandbox: RunningSandbox) -> list[str]:
    """The idempotency keys of the requests to charge."""
    return [request["idempotency_key"] for request in await sandbox.requests("POST", INTENTS)]


async def test_a_shortage_is_charged_to_the_saved_card(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    assert await settle() == 0

    spend(connection, org_id, 6_00)
    [attempt] = attempts(connection, org_id)
    assert attempt["state"] == "requested"
    assert await sandbox.count("payment_intent") == 0

    with capture_logs() as logs:
        assert await settle() == 1

    [intent] = await sandbox.objects("payment_intent")
    assert (intent["amount"], intent["currency"], intent["status"]) == (AMOUNT, "gbp", "succeeded")
    assert intent["metadata"] == {
        "type": "wallet_auto_recharge",
        "org_id": str(org_id),
        "amount_pence": str(AMOUNT),
        "topup_id": str(attempt["id"]),
        "attempt_id": str(attempt["id"]),
    }
    assert await asked_with(sandbox) == [str(attempt["id"])]
    assert topups(connection, org_id) == [(AMOUNT, intent["id"])]
    assert balance(connection, org_id) == 24_00
    assert states(connection, org_id) == ["succeeded"]
    [line] = [line for line in logs if line["event"] == "recharge_recorded"]
    assert (line["orgId"], line["state"]) == (str(org_id), "succeeded")
    assert line["amountPence"] == AMOUNT
    assert (line["balanceBefore"], line["balanceAfter"]) == (4_00, 24_00)
    assert await settle() == 0

    await deliver_events(sandbox, connection)
    assert topups(connection, org_id) == [(AMOUNT, intent["id"])]


async def test_the_webhook_may_be_faster_than_the_answer(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="drop", after_commit=True)

    await settle()
    assert states(connection, org_id) == ["unknown"]
    await deliver_events(sandbox, connection)
    assert states(connection, org_id) == ["succeeded"]

    let_leases_end(connection)
    assert await settle() == 0
    assert len(topups(connection, org_id)) == 1


FAULTS = {
    "409": {"answer": 409},
    "429": {"answer": 429},
    "500": {"answer": 500},
    "503": {"answer": 503},
    "time-out before": {"answer": "hang"},
    "lost before": {"answer": "drop"},
    "time-out after commit": {"answer": "hang", "after_commit": True},
    "lost after commit": {"answer": "drop", "after_commit": True},
    "500 after commit": {"answer": 500, "after_commit": True},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_an_unknown_outcome_is_asked_again_with_the_same_key(
    sandbox: RunningSandbox,
    connection: Connection,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
) -> None:
    """Peer bug 18: a new PaymentIntent per client retry (akash#3449)."""
    monkeypatch.setattr(recharge, "STRIPE_SECONDS", 0.3)
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, **fault)

    assert await settle() == 1
    assert states(connection, org_id) == ["unknown"]
    assert balance(connection, org_id) == 4_00
    assert await settle() == 0

    # The slot stays taken, whatever is spent meanwhile.
    spend(connection, org_id, 1_00)
    assert obstacle(connection, org_id) == "attempt_open"
    let_leases_end(connection)
    assert await settle() == 1

    [attempt] = attempts(connection, org_id)
    assert attempt["state"] == "succeeded"
    assert await asked_with(sandbox) == [str(attempt["id"])] * 2
    [intent] = await sandbox.objects("payment_intent")
    assert topups(connection, org_id) == [(AMOUNT, intent["id"])]


async def test_an_error_that_stripe_has_saved_keeps_the_slot_and_charges_nobody(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """Stripe answers a key with its first 500 for 24 hours; then there is a person to ask."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer=500, saved=True)
    for _ in range(3):
        await settle()
        let_leases_end(connection)
    assert states(connection, org_id) == ["unknown"]

    let_keys_grow_old(connection)
    await settle()

    assert states(connection, org_id) == ["unresolved"]
    assert await sandbox.count("payment_intent") == 0


@pytest.mark.parametrize("keys_are_kept", [False, True], ids=["pruned", "kept"])
async def test_a_key_older_than_24_hours_charges_again(
    sandbox: RunningSandbox, connection: Connection, settle: Settle, keys_are_kept: bool
) -> None:
    """Peer bug 18: trigger.dev#4953."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="drop", after_commit=True)
    await settle()
    assert states(connection, org_id) == ["unknown"]

    if not keys_are_kept:
        await sandbox.forget_keys()
    let_keys_grow_old(connection)
    assert await settle() == 1

    assert len(await asked_with(sandbox)) == 1
    [intent] = await sandbox.objects("payment_intent")
    assert states(connection, org_id) == ["succeeded"]
    assert topups(connection, org_id) == [(AMOUNT, intent["id"])]


async def test_a_payment_is_looked_for_to_the_end_of_the_list(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="drop", after_commit=True)
    await settle()
    [attempt] = attempts(connection, org_id)
    for _ in range(150):
        await sandbox.stripe.v1.payment_intents.create_async(
            {"amount": 1_00, "currency": "gbp", "customer": attempt["stripe_customer_id"]}
        )
    await sandbox.forget_keys()
    let_keys_grow_old(connection)

    # The second page can't be had: that is not the same as nothing found.
    await sandbox.fault("GET", INTENTS)
    await sandbox.fault("GET", INTENTS, answer=500)
    await settle()
    assert states(connection, org_id) == ["unknown"]

    let_leases_end(connection)
    await settle()
    assert states(connection, org_id) == ["succeeded"]
    assert len(topups(connection, org_id)) == 1


async def test_a_look_up_that_stripe_refuses_proves_nothing(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """The payment was made, and its customer deleted since."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="drop", after_commit=True)
    await settle()
    let_keys_grow_old(connection)
    body = b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'
    async with stand_in(http(400, body)) as url, connected(url) as other:
        await settle(other.stripe)
    assert states(connection, org_id) == ["unknown"]

    let_leases_end(connection)
    await settle()
    assert states(connection, org_id) == ["succeeded"]


async def test_what_stripe_never_heard_of_goes_to_a_person(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="drop")
    await settle()
    let_keys_grow_old(connection)
    assert await settle() == 1

    [attempt] = attempts(connection, org_id)
    assert attempt["state"] == "unresolved"
    assert topics(connection, org_id) == ["recharge_unresolved"]
    assert len(await asked_with(sandbox)) == 1
    assert await sandbox.count("payment_intent") == 0
    spend(connection, org_id, 1_00)
    assert len(attempts(connection, org_id)) == 1

    connection.execute(
        "select wallet.resolve_recharge(%s, %s, 'Zoë', 'nothing in the dashboard')",
        [org_id, attempt["id"]],
    )
    let_cooldown_end(connection)
    spend(connection, org_id, 1_00)
    await settle()
    assert states(connection, org_id) == ["canceled", "succeeded"]


async def test_declined_cards_are_retried_every_few_seconds(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """Peer bug 17: lago-api#6176."""
    org_id = await open_recharging_wallet(connection, sandbox, card="pm_card_chargeCustomerFail")
    spend(connection, org_id, 6_00)
    assert await settle() == 1

    [attempt] = attempts(connection, org_id)
    assert (attempt["state"], attempt["decline_code"]) == ("declined", "generic_decline")
    assert topics(connection, org_id) == ["recharge_failed"]
    await deliver_events(sandbox, connection)
    for _ in range(5):
        spend(connection, org_id, 10)
        let_leases_end(connection)
        assert await settle() == 0
    assert await sandbox.count("payment_intent") == 1
    assert topics(connection, org_id) == ["recharge_failed"]
    assert balance(connection, org_id) == 3_50


async def test_the_cooldown_is_released_on_failure(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """Peer bug 18: akash#3756, 486 attempts in 4.5 hours. After three declines it is over."""
    org_id = await open_recharging_wallet(connection, sandbox, card="pm_card_chargeCustomerFail")
    spend(connection, org_id, 6_00)
    await settle()
    assert obstacle(connection, org_id) == "cooldown"

    for _ in range(6):
        let_cooldown_end(connection)
        spend(connection, org_id, 10)
        await settle()
    assert states(connection, org_id) == ["declined"] * 3
    assert topics(connection, org_id).count("auto_recharge_disabled") == 1
    assert obstacle(connection, org_id) == "payment_method_blocked"

    [attempt, *_] = attempts(connection, org_id)
    card = await sandbox.stripe.v1.payment_methods.attach_async(
        "pm_card_visa", {"customer": attempt["stripe_customer_id"]}
    )
    await deliver_events(sandbox, connection)
    spend(connection, org_id, 10)
    await settle()
    assert states(connection, org_id)[3:] == ["succeeded"]
    [intent] = await sandbox.objects("payment_intent", status="succeeded")
    assert intent["payment_method"] == card.id


async def test_a_lost_card_is_not_tried_a_second_time(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    [(card,)] = connection.execute(
        "select stripe_default_pm_id from wallet.organizations where id = %s", [org_id]
    ).fetchall()
    await sandbox.control("POST", f"/payment_methods/{card}/decline", {"decline_code": "lost_card"})
    spend(connection, org_id, 6_00)
    await settle()
    let_cooldown_end(connection)
    spend(connection, org_id, 10)
    assert await settle() == 0
    assert states(connection, org_id) == ["declined"]
    assert topics(connection, org_id) == ["auto_recharge_disabled", "recharge_failed"]


async def test_a_bank_that_wants_to_see_the_customer_takes_the_slot_until_it_is_given_up(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(
        connection, sandbox, card="pm_card_authenticationRequired"
    )
    spend(connection, org_id, 6_00)
    await settle()
    assert states(connection, org_id) == ["requires_action"]
    assert topics(connection, org_id) == ["recharge_needs_action"]
    await deliver_events(sandbox, connection)
    spend(connection, org_id, 10)
    assert await settle() == 0
    assert states(connection, org_id) == ["requires_action"]

    let_leases_end(connection)
    assert await settle() == 1
    [intent] = await sandbox.objects("payment_intent")
    assert intent["status"] == "canceled"
    assert states(connection, org_id) == ["canceled"]
    assert balance(connection, org_id) == 3_90


async def test_a_customer_who_confirms_to_the_bank_is_credited(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    org_id = await open_recharging_wallet(
        connection, sandbox, card="pm_card_authenticationRequired"
    )
    spend(connection, org_id, 6_00)
    await settle()
    [intent] = await sandbox.objects("payment_intent")

    # On session, as a page of the shop would do it.
    await sandbox.stripe.v1.payment_intents.confirm_async(
        intent["id"],
        {"payment_method": attempts(connection, org_id)[0]["stripe_payment_method_id"]},
    )
    await sandbox.control("POST", f"/payment_intents/{intent['id']}/authenticate")
    # The worker gives up at the same moment, and is told that it came too late.
    let_leases_end(connection)
    await settle()

    assert states(connection, org_id) == ["succeeded"]
    await deliver_events(sandbox, connection)
    assert topups(connection, org_id) == [(AMOUNT, intent["id"])]


async def test_bursts_of_top_ups_one_for_each_spending(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """Peer bug 17: lago-api#6103, #6177."""
    org_id = await open_recharging_wallet(connection, sandbox)
    for _ in range(10):
        spend(connection, org_id, 90)
        await settle()
    assert await sandbox.count("payment_intent") == 1

    # £20 more is spent within the cooldown, and asks for nothing.
    for _ in range(20):
        spend(connection, org_id, 95)
        await settle()
    assert balance(connection, org_id) < THRESHOLD
    assert obstacle(connection, org_id) == "cooldown"
    assert await sandbox.count("payment_intent") == 1

    let_cooldown_end(connection)
    spend(connection, org_id, 1)
    await settle()
    assert await sandbox.count("payment_intent") == 2


async def test_a_threshold_not_below_the_amount_recharges_for_ever(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """Peer bug 17: vm0#10695."""
    org_id = await open_recharging_wallet(connection, sandbox)
    with pytest.raises(psycopg.Error) as raised:
        connection.execute(
            "select wallet.set_auto_recharge(%s, true, 'a test', p_threshold_pence => %s,"
            " p_amount_pence => %s)",
            [org_id, AMOUNT, AMOUNT],
        )
    assert raised.value.sqlstate == "WL006"
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(
            "update wallet.organizations set wallet_auto_recharge = true,"
            " wallet_low_balance_pence = wallet_recharge_amount_pence where id = %s",
            [org_id],
        )


@pytest.mark.parametrize(
    ("reason", "limits", "hours"),
    [
        ("max_per_day", {"max_per_day": 2}, 2),
        ("max_pence_per_day", {"max_pence_per_day": 59_99}, 2),
        ("max_per_month", {"max_per_day": 2, "max_per_month": 2}, 25),
        (
            "max_pence_per_month",
            {"max_pence_per_day": 59_99, "max_pence_per_month": 59_99},
            25,
        ),
    ],
)
async def test_the_caps_hold(
    sandbox: RunningSandbox,
    connection: Connection,
    settle: Settle,
    reason: str,
    limits: dict[str, Any],
    hours: int,
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox, **limits)
    for _ in range(4):
        let_cooldown_end(connection, hours)
        spend(connection, org_id, max(1, balance(connection, org_id) - 1_00))
        await settle()
    assert await sandbox.count("payment_intent") == 2
    let_cooldown_end(connection, hours)
    assert obstacle(connection, org_id) == reason


async def test_a_date_in_the_key_locks_the_customer_out(
    sandbox: RunningSandbox, connection: Connection, settle: Settle
) -> None:
    """Peer bug 18: canvas#243. The next shortage of the same day is an attempt of its own."""
    org_id = await open_recharging_wallet(connection, sandbox)
    for _ in range(2):
        let_cooldown_end(connection)
        spend(connection, org_id, max(1, balance(connection, org_id) - 1_00))
        await settle()
    assert len(set(await asked_with(sandbox))) == 2
    assert len(topups(connection, org_id)) == 2


async def test_an_attempt_in_other_hands_holds_up_no_worker(
    sandbox: RunningSandbox, connection: Connection, connect: Callable[..., Connection]
) -> None:
    """Not even one that is to be taken back, as the customer has topped up since."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    connection.execute(
        "select wallet.add_wallet_credits(%s, 5000, 'bonus', p_idempotency_key => 'gift')", [org_id]
    )
    worker = connect()
    worker.execute("set lock_timeout = '1s'")
    with connection.transaction():
        connection.execute("select from wallet.recharge_attempts for no key update")
        [(answer,)] = worker.execute("select wallet.claim_recharges('a worker')").fetchall()
        assert answer["recharges"] == []
    assert states(connection, org_id) == ["requested"]

    worker.execute("select wallet.claim_recharges('a worker')")
    assert states(connection, org_id) == ["canceled"]


async def test_one_slow_answer_holds_up_nobody_else(
    sandbox: RunningSandbox,
    connection: Connection,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recharge, "STRIPE_SECONDS", 1)
    wallets = [await open_recharging_wallet(connection, sandbox) for _ in range(5)]
    for org_id in wallets:
        spend(connection, org_id, 6_00)
    await sandbox.fault("POST", INTENTS, answer="hang")
    assert await settle() == 5
    assert sorted(state for org_id in wallets for state in states(connection, org_id)) == [
        "succeeded"
    ] * 4 + ["unknown"]


async def test_an_answer_that_could_not_be_recorded_is_asked_for_again(
    database: str,
    sandbox: RunningSandbox,
    connection: Connection,
    connect: Callable[..., Connection],
    settle: Settle,
) -> None:
    org_id = await open_recharging_wallet(connection, sandbox)
    other = await open_recharging_wallet(connection, sandbox)
    for each in (org_id, other):
        spend(connection, each, 6_00)

    with capture_logs() as logs, locked_wallet(connect(), org_id):
        async with worker_database(database, patience=1) as impatient:
            assert await settle_recharges(impatient, sandbox.stripe, "a worker") == 2
    assert states(connection, org_id) == ["calling"]
    assert states(connection, other) == ["succeeded"]
    [line] = [line for line in logs if line["event"] == "recharge_not_recorded"]
    assert line["orgId"] == str(org_id)

    let_leases_end(connection)
    assert await settle() == 1
    assert states(connection, org_id) == ["succeeded"]
    assert await sandbox.count("payment_intent") == 2
    assert len(topups(connection, org_id)) == 1


async def test_what_is_no_answer_of_stripe_is_an_unknown_outcome(
    sandbox: RunningSandbox,
    connection: Connection,
    settle: Settle,
) -> None:
    """A proxy's page, a body that breaks off, an error of another shape."""
    org_id = await open_recharging_wallet(connection, sandbox)
    spend(connection, org_id, 6_00)
    for answer in (
        http(502, b"<html>"),
        http(200, b"{", length=900),
        http(400, b'{"error": "nope"}'),
        http(200, b"[]"),
    ):
        async with stand_in(answer) as url, connected(url) as other:
            assert await settle(other.stripe) == 1
        assert states(connection, org_id)[0] in ("calling", "unknown")
        let_leases_end(connection)
    assert await settle() == 1
    assert states(connection, org_id) == ["succeeded"]


def http(status: int, body: bytes, length: int | None = None) -> bytes:
    return b"HTTP/1.1 %d Status\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        len(body) if length is None else length,
        body,
    )


@asynccontextmanager
async def stand_in(answer: bytes) -> AsyncIterator[str]:
    """Something that answers every request with these bytes."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
