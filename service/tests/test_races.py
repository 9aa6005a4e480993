"""Sessions that meet at one wallet, held up at its lock until all are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ..sandbox import events
from .services import balance, locked_wallet, open_wallet

Connect = Callable[..., psycopg.Connection[Any]]
Query = tuple[LiteralString, Sequence[Any]]

SESSIONS = 16
CHARGE: LiteralString = "select wallet.deduct_call_credits(%s, %s, null, 10, 50, %s)"
TOPUP: LiteralString = "select wallet.add_wallet_credits(%s, 5000, 'topup', 'pi_race')"
ASSET: LiteralString = """
    select wallet.check_balance_and_deduct_asset_cost(%s, 1000, 'did', 'a number', 'did:1')
"""


def race(connect: Connect, org_id: UUID, queries: Sequence[Query]) -> list[dict[str, Any]]:
    """Run every query in a session of its own, all let loose at once, and return their answers."""
    judge, starter = connect(), connect()
    sessions = [connect() for _ in queries]
    with ThreadPoolExecutor(len(queries)) as pool:
        with locked_wallet(starter, org_id):
            answers = [
                pool.submit(answer, session, *query)
                for session, query in zip(sessions, queries, strict=True)
            ]
            wait_for_waiters(judge, len(queries))
        return [future.result() for future in answers]


def answer(
    session: psycopg.Connection[Any], query: LiteralString, args: Sequence[Any]
) -> dict[str, Any]:
    [(value,)] = session.execute(query, args).fetchall()
    assert isinstance(value, dict)
    return value


def wait_for_waiters(judge: psycopg.Connection[Any], count: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        [(waiting,)] = judge.execute(
            """
            select count(*) from pg_catalog.pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'
            """
        ).fetchall()
        if waiting == count:
            return
        time.sleep(0.005)
    pytest.fail(f"{count} sessions should have been waiting for a lock")


def entries(connection: psycopg.Connection[Any], org_id: UUID) -> int:
    [(count,)] = connection.execute(
        "select count(*) from wallet.credit_transactions where org_id = %s", [org_id]
    ).fetchall()
    return int(count)


def test_spends_at_once_stop_exactly_at_the_debt_limit(connect: Connect) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=100)

    answers = race(connect, org_id, [(CHARGE, [org_id, f"call-{i}", 100]) for i in range(SESSIONS)])

    # £1 of money and £5 of debt limit are six charges of £1.
    assert [a["success"] for a in answers].count(True) == 6
    refused = [a for a in answers if not a["success"]]
    assert {a["error"] for a in refused} == {"debt_limit_exceeded"}
    assert {a["amount_over_limit"] for a in refused} == {100}
    assert balance(connection, org_id) == -500


def test_assets_bought_at_once_never_go_below_zero(connect: Connect) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=5000)
    query: LiteralString = """
        select wallet.check_balance_and_deduct_asset_cost(%s, 1000, 'did', 'a number', %s)
    """

    answers = race(connect, org_id, [(query, [org_id, f"did:{i}"]) for i in range(SESSIONS)])

    assert [a["success"] for a in answers].count(True) == 5
    assert {a["error"] for a in answers if not a["success"]} == {"insufficient_balance"}
    assert balance(connection, org_id) == 0


@pytest.mark.parametrize(
    ("query", "args", "change"),
    [(CHARGE, ["call-1", 400], -400), (TOPUP, [], 5000), (ASSET, [], -1000)],
    ids=["charge", "topup", "asset"],
)
def test_the_same_request_from_sixteen_sessions_moves_the_balance_once(
    connect: Connect, query: LiteralString, args: list[Any], change: int
) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=2000)

    answers = race(connect, org_id, [(query, [org_id, *args])] * SESSIONS)

    assert all(a["success"] for a in answers)
    assert [a["duplicate"] for a in answers].count(False) == 1
    told = {(a["transaction_id"], a["balance_before"], a["balance_after"]) for a in answers}
    assert len(told) == 1
    assert balance(connection, org_id) == 2000 + change
    assert entries(connection, org_id) == 2


def test_one_key_for_different_money_at_once_is_one_entry_and_conflicts(connect: Connect) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=5000)

    answers = race(connect, org_id, [(CHARGE, [org_id, "call-1", 1 + i]) for i in range(SESSIONS)])

    [applied] = [a for a in answers if a["success"]]
    for refused in (a for a in answers if not a["success"]):
        assert refused["error"] == "idempotency_conflict"
        assert refused["original_amount_pence"] == applied["amount_pence"]
    assert balance(connection, org_id) == 5000 - applied["amount_pence"]


def test_concurrent_posts_all_answer_with_a_body(connect: Connect) -> None:
    """formance ledger 364: a concurrent post answered success and nothing else."""
    connection = connect()
    org_id = open_wallet(connection, balance_pence=50_000)

    answers = race(connect, org_id, [(CHARGE, [org_id, f"call-{i}", 100]) for i in range(SESSIONS)])

    assert all(UUID(a["transaction_id"]) for a in answers)
    assert sorted(a["entry_number"] for a in answers) == list(range(2, SESSIONS + 2))
    assert sorted(a["balance_after"] for a in answers) == [
        50_000 - 100 * i for i in range(SESSIONS, 0, -1)
    ]


def test_backend_and_webhooks_tell_of_one_payment_at_once_and_it_is_one_credit(
    connect: Connect,
) -> None:
    connection = connect()
    org_id = open_wallet(connection)
    session = events.checkout_session(org_id, 5000, payment_intent_id="pi_race")
    intent = events.payment_intent(org_id, 5000, payment_intent_id="pi_race")
    process: LiteralString = "select wallet.process_stripe_event(%s)"
    tellings: list[Query] = []
    for _ in range(5):
        tellings += [
            (TOPUP, [org_id]),
            (process, [Jsonb(events.event("checkout.session.completed", session))]),
            (process, [Jsonb(events.event("payment_intent.succeeded", intent))]),
        ]

    answers = race(connect, org_id, tellings)

    assert all(a["success"] for a in answers)
    assert balance(connection, org_id) == 5000
    assert entries(connection, org_id) == 1


def test_wallets_opened_at_once_are_one_wallet(connect: Connect) -> None:
    org_id = uuid4()
    sessions = [connect() for _ in range(SESSIONS)]
    blocker = connect()

    with ThreadPoolExecutor(SESSIONS) as pool:
        with blocker.transaction():
            blocker.execute("select wallet.create_wallet(%s)", [org_id])
            answers = [
                pool.submit(answer, session, "select wallet.create_wallet(%s)", [org_id])
                for session in sessions
            ]
            wait_for_waiters(connect(), SESSIONS)
        assert all(future.result()["duplicate"] for future in answers)


def test_spends_of_different_wallets_do_not_wait_for_each_other(connect: Connect) -> None:
    connection, other = connect(), connect()
    mine = open_wallet(connection, balance_pence=1000)
    theirs = open_wallet(connection, balance_pence=1000)

    with locked_wallet(other, theirs):
        connection.execute("set lock_timeout = '1ms'")
        assert answer(connection, CHARGE, [mine, "call-1", 100])["balance_after"] == 900


def test_a_lowered_debt_limit_and_a_spend_at_once_agree(connect: Connect) -> None:
    connection = connect()
    org_id = open_wallet(connection)

    answers = race(
        connect,
        org_id,
        [
            (CHARGE, [org_id, "call-1", 500]),
            ("select wallet.set_debt_limit(%s, 0, 'operator')", [org_id]),
        ],
    )

    charge, limit = answers
    if charge["success"]:
        assert charge["debt_limit"] == 500
        assert balance(connection, org_id) == -500
    else:
        assert charge["debt_limit"] == 0
        assert balance(connection, org_id) == 0
    assert limit["debt_limit_pence"] == 0
