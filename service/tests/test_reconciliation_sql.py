"""Reconciliation of whole days, and of calls that others are billing at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .services import balance, locked_wallet, open_wallet
from .test_races import wait_for_waiters

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Query = tuple[LiteralString, Sequence[Any]]

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)
CALLS = 10_000
WALLETS = 500

RECORD: LiteralString = "select wallet.record_call(%s)"
RECONCILE: LiteralString = "select wallet.reconcile_calls(%s, %s, %s)"
COMMIT: LiteralString = "select wallet.commit_reserved_credits(%s, 91, %s)"
CLAIM: LiteralString = "select wallet.claim_call_reconciliation(%s, 60)"

# 91 seconds are 107 US cents, and those are 85 pence.
PENCE = 85

# The calls of a day, in an order that is nobody's, and what the webhook told of them.
LIST_CALLS: LiteralString = """
    create table listed_calls as
    select
        n,
        jsonb_build_object(
            'id', 'vapi-' || n, 'type', 'outboundPhoneCall', 'status', 'ended', 'cost', 0.21,
            'createdAt', began_at, 'startedAt', began_at, 'endedAt', began_at + interval '91 s',
            'metadata', jsonb_build_object('org_id', (%(wallets)s::uuid[])[n %% %(many)s + 1])
        ) as call
    from generate_series(1, %(calls)s) as n
    cross join lateral (select %(day)s + n * interval '8 s' as began_at) as clock
    order by hashint4(n)
"""
TELL_CALLS: LiteralString = """
    select count(wallet.record_call(call)) from listed_calls where n > %s
"""
RECONCILE_LISTED: LiteralString = """
    select wallet.reconcile_calls(%s, %s, (select jsonb_agg(call) from listed_calls))
"""


@pytest.mark.parametrize(
    ("missed", "reliability", "alerts"),
    [(CALLS * 3 // 100, 97, 0), (CALLS * 6 // 100, 94, 1)],
    ids=["3 %", "6 %"],
)
def test_what_the_webhook_missed_of_ten_thousand_calls_is_billed_once(
    connect: Connect, missed: int, reliability: int, alerts: int
) -> None:
    connection = connect()
    wallets = [open_wallet(connection, balance_pence=10_000) for _ in range(WALLETS)]
    connection.execute("set timezone = 'UTC'")
    connection.execute(
        LIST_CALLS, {"wallets": wallets, "many": WALLETS, "calls": CALLS, "day": DAY}
    )
    [(told,)] = connection.execute(TELL_CALLS, [missed]).fetchall()
    assert told == CALLS - missed

    report = ask(connection, RECONCILE_LISTED, [DAY, NEXT_DAY])

    expected = {
        "provider_calls": CALLS,
        "known": CALLS - missed,
        "missing": missed,
        "recovered": missed,
        "recovered_pence": missed * PENCE,
        "owed_pence": 0,
        "failed_count": 0,
        "mismatched_count": 0,
        "unknown_to_provider_count": 0,
        "reliability_percent": reliability,
        "alerted": alerts == 1,
    }
    assert {key: report[key] for key in expected} == expected
    assert reconciled_calls(connection) == missed
    assert messages(connection, "reliability_low") == alerts
    spent = WALLETS * 10_000 - sum(balance(connection, wallet) for wallet in wallets)
    assert spent == CALLS * PENCE

    report = ask(connection, RECONCILE_LISTED, [DAY, NEXT_DAY])

    nothing = {"missing": 0, "recovered": 0, "recovered_pence": 0, "failed_count": 0}
    assert {key: report[key] for key in nothing} == nothing
    assert report["reliability_percent"] == reliability
    assert reconciled_calls(connection) == missed
    assert messages(connection, "reliability_low") == alerts
    spent = WALLETS * 10_000 - sum(balance(connection, wallet) for wallet in wallets)
    assert spent == CALLS * PENCE


def test_webhook_reconciliation_and_commit_of_one_call_bill_it_once(connect: Connect) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=10_000)
    orders = list(permutations(["webhook", "reconciliation", "reservation"]))

    for number, order in enumerate(orders, start=1):
        call_id, day = f"call-{number}", DAY + timedelta(days=number)
        reserve(connection, org_id, call_id)
        call = vapi_call(f"vapi-{number}", org_id, call_id, day)
        ways: dict[str, Query] = {
            "webhook": (RECORD, [end_of_call_report(call)]),
            "reconciliation": (RECONCILE, [day, day + timedelta(days=1), Jsonb([call])]),
            "reservation": (COMMIT, [call_id, org_id]),
        }

        answers = queue_up(connect, [org_id], [ways[way] for way in order])

        # Whoever came first has billed it, and the others have noticed.
        assert source_of(connection, call_id) == order[0]
        by_way = dict(zip(order, answers, strict=True))
        assert all(a["success"] for a in answers)
        billed = {
            "webhook": not by_way["webhook"]["duplicate"],
            "reservation": not by_way["reservation"]["duplicate"],
            "reconciliation": by_way["reconciliation"]["recovered"] == 1,
        }
        assert [way for way in order if billed[way]] == [order[0]]
        assert balance(connection, org_id) == 10_000 - number * PENCE
        assert held(connection, org_id) == 0


def test_a_call_that_its_backend_bills_under_an_id_of_its_own_is_billed_once(
    connect: Connect,
) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=1000)
    call = vapi_call("vapi-1", org_id, None, DAY)
    ways: list[Query] = [
        ("select wallet.bill_call(%s, 'own', 91, 'vapi-1')", [org_id]),
        (RECORD, [end_of_call_report(call)]),
        (RECONCILE, [DAY, NEXT_DAY, Jsonb([call])]),
    ]

    _, webhook, reconciliation = queue_up(connect, [org_id], ways)

    assert (webhook["outcome"], webhook["call_id"]) == ("duplicate", "own")
    assert (reconciliation["known"], reconciliation["recovered"]) == (1, 0)
    assert balance(connection, org_id) == 1000 - PENCE


def test_a_call_that_another_organization_is_billed_for_is_not_billed_again(
    connect: Connect,
) -> None:
    connection, session = connect(), connect()
    told, billed = (open_wallet(connection, balance_pence=1000) for _ in range(2))
    report = end_of_call_report(vapi_call("vapi-1", told, None, DAY))

    with ThreadPoolExecutor(1) as pool:
        with locked_wallet(connection, told):
            answer = pool.submit(ask, session, RECORD, [report])
            wait_for_waiters(connection, 1)
            connection.execute("select wallet.bill_call(%s, 'call-1', 91, 'vapi-1')", [billed])
        assert answer.result()["error"] == "call_moved"

    assert ask(connection, RECORD, [report])["outcome"] == "duplicate"
    assert (balance(connection, told), balance(connection, billed)) == (1000, 1000 - PENCE)
    assert waiting_calls(connection) == []


def test_lists_of_calls_lock_the_wallets_in_one_order(connect: Connect) -> None:
    connection, starter = connect(), connect()
    first, second = sorted(open_wallet(connection, balance_pence=10_000) for _ in range(2))
    late = uuid4(), uuid4()
    for number, org_id in enumerate(late):
        call = vapi_call(f"vapi-late-{number}", org_id, None, DAY)
        assert not ask(connection, RECORD, [end_of_call_report(call)])["success"]
        connection.execute(
            "select wallet.reserve_call_credits(%s, %s, %s)",
            [[second, first][number], f"late-{number}", call["id"]],
        )
    lists: list[Query] = [("select wallet.replay_unbilled_calls()", [])]
    for number, order in enumerate([(first, second), (second, first)], start=1):
        day = DAY + timedelta(days=number)
        calls = [vapi_call(f"vapi-{number}-{org_id}", org_id, None, day) for org_id in order]
        lists.append((RECONCILE, [day, day + timedelta(days=1), Jsonb(calls)]))
    sessions = [connect() for _ in lists]

    with ThreadPoolExecutor(len(lists)) as pool:
        with locked_wallet(starter, first):
            answers = [
                pool.submit(ask, session, *query)
                for session, query in zip(sessions, lists, strict=True)
            ]
            wait_for_waiters(connection, len(lists))
            # Whoever waits for the first wallet holds none that comes after it.
            with connection.transaction():
                connection.execute(
                    "select from wallet.organizations where id = %s for no key update nowait",
                    [second],
                )
            report = end_of_call_report(vapi_call("vapi-webhook", second, None, DAY))
            assert ask(connection, RECORD, [report])["outcome"] == "processed"
        replayed, *reconciled = results(answers)

    assert replayed["billed"] == 2
    assert [report["recovered"] for report in reconciled] == [2, 2]
    assert balance(connection, first) == 10_000 - 3 * PENCE
    assert balance(connection, second) == 10_000 - 4 * PENCE


def test_a_webhook_and_a_replay_of_one_call_wait_for_each_other_in_one_order(
    connect: Connect,
) -> None:
    connection = connect()
    for number, order in enumerate(permutations(["webhook", "replay", "reconciliation"])):
        org_id, day = uuid4(), DAY + timedelta(days=number)
        call = vapi_call(f"vapi-{number}", org_id, None, day)
        assert not ask(connection, RECORD, [end_of_call_report(call)])["success"]
        open_wallet(connection, balance_pence=1000, org_id=org_id)
        ways: dict[str, Query] = {
            "webhook": (RECORD, [end_of_call_report(call)]),
            "replay": ("select wallet.replay_unbilled_calls()", []),
            "reconciliation": (RECONCILE, [day, day + timedelta(days=1), Jsonb([call])]),
        }

        answers = queue_up(connect, [org_id], [ways[way] for way in order])

        assert all(answer["success"] for answer in answers)
        assert waiting_calls(connection) == []
        assert balance(connection, org_id) == 1000 - PENCE
        # The webhook had told of it.
        assert source_of(connection, f"vapi-{number}") == "webhook"


def test_a_wallet_that_stays_locked_costs_no_call(connect: Connect) -> None:
    connection, session = connect(), connect()
    org_id = open_wallet(connection, balance_pence=1000)
    report = end_of_call_report(vapi_call("vapi-1", org_id, None, DAY))

    with locked_wallet(connection, org_id):
        answer = ask(session, RECORD, [report])

    assert (answer["outcome"], answer["error"]) == ("failed", "unexpected_error")
    assert "55P03" in answer["message"]
    assert waiting_calls(connection) == ["vapi-1"]
    assert ask(connection, "select wallet.replay_unbilled_calls()", [])["billed"] == 1
    assert balance(connection, org_id) == 1000 - PENCE


def test_two_workers_at_three_o_clock_make_one_run(connect: Connect) -> None:
    judge, ann, bob = connect(), connect(), connect()
    judge.execute("select wallet.configure_calls('test', p_reconcile_at => '00:00')")

    with ThreadPoolExecutor(1) as pool:
        with ann.transaction():
            [(first,)] = ann.execute(CLAIM, ["ann"]).fetchall()
            second = pool.submit(ask, bob, CLAIM, ["bob"])
            wait_for_waiters(judge, 1)
        assert first["reconciliation"] is not None
        assert second.result()["reconciliation"] is None

    rows = judge.execute("select claimed_by, attempts from wallet.call_reconciliations").fetchall()
    assert rows == [("ann", 1)]


def test_a_worker_passes_over_what_another_is_claiming(connect: Connect) -> None:
    judge, ann, bob = connect(), connect(), connect()
    judge.execute("select wallet.configure_calls('test', p_reconcile_at => '00:00')")
    org_id = open_wallet(judge, balance_pence=1000)
    placed_at = datetime.now(UTC) - timedelta(days=2)
    ask(judge, RECORD, [end_of_call_report(vapi_call("vapi-1", org_id, None, placed_at))])
    judge.execute("select wallet.plan_call_reconciliations()")
    for session in (judge, bob):
        session.execute("set lock_timeout = '5s'")

    with ann.transaction():
        first = ask(ann, CLAIM, ["ann"])["reconciliation"]
        second = ask(bob, CLAIM, ["bob"])["reconciliation"]
        assert ask(judge, CLAIM, ["cid"])["reconciliation"] is None

    assert first["from"] < second["from"]


def test_one_window_is_reconciled_by_one_at_a_time(connect: Connect) -> None:
    connection = connect()
    org_id = open_wallet(connection, balance_pence=1000)
    calls = [vapi_call(f"vapi-{number}", org_id, None, DAY) for number in range(3)]
    listed: Query = (RECONCILE, [DAY, NEXT_DAY, Jsonb(calls)])

    first, *others = queue_up(connect, [org_id], [listed] * 4)

    assert (first["recovered"], first["alerted"]) == (3, True)
    assert [(report["recovered"], report["alerted"]) for report in others] == [(0, False)] * 3
    assert sorted(report["run"] for report in others) == [2, 3, 4]
    assert messages(connection, "reliability_low") == 1
    assert balance(connection, org_id) == 1000 - 3 * PENCE


def vapi_call(
    vapi_call_id: str, org_id: UUID | None, call_id: str | None, placed_at: datetime
) -> dict[str, Any]:
    """A call of 91 s, as Vapi lists it."""
    named = {"org_id": org_id and str(org_id), "call_id": call_id}
    return {
        "id": vapi_call_id,
        "orgId": "0b9e1c1a-5a7e-4a0b-8a55-6f1c2a9b7d10",
        "type": "outboundPhoneCall",
        "status": "ended",
        "createdAt": placed_at.isoformat(),
        "startedAt": (placed_at + timedelta(seconds=4)).isoformat(),
        "endedAt": (placed_at + timedelta(seconds=95)).isoformat(),
        "endedReason": "customer-ended-call",
        "cost": 0.21,
        "metadata": {name: value for name, value in named.items() if value},
    }


def end_of_call_report(call: dict[str, Any]) -> Jsonb:
    """What the webhook is told of it."""
    beside = ("startedAt", "endedAt", "endedReason", "cost")
    message = {name: call[name] for name in beside}
    within = {name: value for name, value in call.items() if name not in beside}
    return Jsonb({"message": {"type": "end-of-call-report", "call": within, **message}})


def ask(session: Connection, query: LiteralString, args: Sequence[Any]) -> dict[str, Any]:
    [(value,)] = session.execute(query, args).fetchall()
    assert isinstance(value, dict)
    return value


def results(answers: Iterable[Future[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [answer.result() for answer in answers]


def queue_up(
    connect: Connect, wallets: Sequence[UUID], queries: Sequence[Query]
) -> list[dict[str, Any]]:
    """Run every query in a session of its own. They wait for these wallets in this order."""
    judge, starter = connect(), connect()
    sessions = [connect() for _ in queries]
    answers = []
    with ThreadPoolExecutor(len(queries)) as pool:
        with ExitStack() as locks:
            for org_id in wallets:
                locks.enter_context(locked_wallet(starter, org_id))
            for waiting, (session, query) in enumerate(zip(sessions, queries, strict=True)):
                answers.append(pool.submit(ask, session, *query))
                wait_for_waiters(judge, waiting + 1)
        return results(answers)


def reserve(connection: Connection, org_id: UUID, call_id: str) -> None:
    answer = ask(connection, "select wallet.reserve_call_credits(%s, %s)", [org_id, call_id])
    assert answer["success"]


def held(connection: Connection, org_id: UUID) -> int:
    [(pence,)] = connection.execute(
        "select reserved_pence from wallet.organizations where id = %s", [org_id]
    ).fetchall()
    return int(pence)


def source_of(connection: Connection, call_id: str) -> str:
    [(source,)] = connection.execute(
        "select source from wallet.calls where call_id = %s", [call_id]
    ).fetchall()
    return str(source)


def reconciled_calls(connection: Connection) -> int:
    [(count,)] = connection.execute("select count(*) from wallet.calls where reconciled").fetchall()
    return int(count)


def messages(connection: Connection, topic: str) -> int:
    [(count,)] = connection.execute(
        "select count(*) from wallet.outbox_messages where topic = %s", [topic]
    ).fetchall()
    return int(count)


def waiting_calls(connection: Connection) -> list[str]:
    rows = connection.execute(
        "select vapi_call_id from wallet.unbilled_calls where billed_at is null"
    ).fetchall()
    return [vapi_call_id for (vapi_call_id,) in rows]
