"""Sessions that meet at one reservation, at one call, or at the last money of a wallet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product
from random import Random
from threading import Barrier
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .services import balance, locked_wallet
from .spending_model import call_object, end_of_call_report
from .test_races import wait_for_waiters

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Answer = dict[str, Any]
Request = Callable[[Connection], Answer]

SESSIONS = 16
PRICE = 100  # of a minute, a segment, a query and a number alike
UNITS = {
    "call": "minute",
    "sms": "segment",
    "knowledge_base_query": "query",
    "phone_number": "number",
}


@pytest.fixture
def judge(connect: Connect) -> Connection:
    """A session that looks on, in a database where everything costs £1."""
    connection = connect()
    for service, unit in UNITS.items():
        connection.execute(
            """
            insert into wallet.prices (service, unit, unit_price, currency, effective_from)
            values (%s, %s, %s, 'gbp', '-infinity')
            """,
            [service, unit, PRICE],
        )
    return connection


# Every way of spending £1


@dataclass(frozen=True)
class Way:
    spend: Callable[[Connection, UUID, str], Answer]
    uses_debt_limit: bool = True
    owes: bool = False
    """It is for what has taken place: what isn't there is owed, and never refused."""

    def request(self, org_id: UUID, key: str) -> Request:
        return sending(self.spend, org_id, key)


def sending(send: Callable[..., Answer], *args: Any) -> Request:
    return lambda session: send(session, *args)


def ask(session: Connection, query: LiteralString, *args: Any) -> Answer:
    [(answer,)] = session.execute(query, args).fetchall()
    assert isinstance(answer, dict)
    return answer


def deduct(session: Connection, org_id: UUID, call_id: str, pence: int = PRICE) -> Answer:
    query: LiteralString = "select wallet.deduct_call_credits(%s, %s, null, 0, 0, %s)"
    return ask(session, query, org_id, call_id, pence)


def deduct_charge(session: Connection, charge: Answer) -> Answer:
    query: LiteralString = """
        select wallet.deduct_call_credits(
            %(org_id)s, %(call_id)s, %(vapi_call_id)s, %(provider_cost_pence)s, 0,
            %(client_charged_pence)s)
    """
    [(answer,)] = session.execute(query, charge).fetchall()
    assert isinstance(answer, dict)
    return answer


def deduct_batch(session: Connection, org_id: UUID, call_id: str) -> Answer:
    [result] = send_batch(session, [charge(org_id, call_id)])["results"]
    assert isinstance(result, dict)
    return result


def charge(org_id: UUID, call_id: str, pence: int = PRICE) -> Answer:
    return {
        "org_id": str(org_id),
        "call_id": call_id,
        "provider_cost_pence": 0,
        "client_charged_pence": pence,
    }


def send_batch(session: Connection, charges: Sequence[Answer]) -> Answer:
    return ask(session, "select wallet.deduct_call_credits_batch(%s)", Jsonb(charges))


def buy_asset(session: Connection, org_id: UUID, key: str) -> Answer:
    query: LiteralString = """
        select wallet.check_balance_and_deduct_asset_cost(%s, %s, 'did', 'a number', %s)
    """
    return ask(session, query, org_id, PRICE, key)


def reserve(session: Connection, org_id: UUID, call_id: str, minutes: int = 1) -> Answer:
    query: LiteralString = """
        select wallet.reserve_call_credits(%s, %s, p_estimated_minutes => %s)
    """
    return ask(session, query, org_id, call_id, minutes)


def extend(session: Connection, org_id: UUID, call_id: str, minutes: int) -> Answer:
    return ask(session, "select wallet.extend_reservation(%s, %s, %s)", call_id, minutes, org_id)


def release(session: Connection, org_id: UUID, call_id: str) -> Answer:
    return ask(session, "select wallet.release_reservation(%s, %s)", call_id, org_id)


def commit(session: Connection, org_id: UUID, call_id: str, seconds: int = 60) -> Answer:
    query: LiteralString = "select wallet.commit_reserved_credits(%s, %s, %s)"
    return ask(session, query, call_id, seconds, org_id)


def reserve_and_commit(session: Connection, org_id: UUID, call_id: str) -> Answer:
    reserved = reserve(session, org_id, call_id)
    if not reserved["success"] and reserved["error"] in ("insufficient_balance", "wallet_frozen"):
        return reserved
    return commit(session, org_id, call_id)


def bill(session: Connection, org_id: UUID, call_id: str, seconds: int = 60) -> Answer:
    return ask(session, "select wallet.bill_call(%s, %s, %s)", org_id, call_id, seconds)


def record(session: Connection, org_id: UUID, call_id: str, seconds: int = 60) -> Answer:
    return record_call(session, provider_call(org_id, call_id, seconds))


def record_call(session: Connection, call: Answer) -> Answer:
    return ask(session, "select wallet.record_call(%s)", Jsonb(end_of_call_report(call)))


def provider_call(org_id: UUID, call_id: str, seconds: int) -> Answer:
    return call_object(
        f"vapi {org_id} {call_id}",
        seconds,
        placed_at=datetime.now(UTC) - timedelta(hours=1),
        metadata={"org_id": str(org_id), "call_id": call_id},
    )


def reconcile(session: Connection, calls: Sequence[Answer]) -> Answer:
    query: LiteralString = "select wallet.reconcile_calls(%s, %s, %s)"
    now = datetime.now(UTC)
    return ask(session, query, now - timedelta(days=1), now, Jsonb(calls))


def charge_sms(session: Connection, org_id: UUID, message_id: str) -> Answer:
    return ask(session, "select wallet.charge_sms(%s, %s)", org_id, message_id)


def charge_usage(session: Connection, org_id: UUID, key: str) -> Answer:
    query: LiteralString = "select wallet.charge_usage(%s, 'knowledge_base_query', 1, %s)"
    return ask(session, query, org_id, key)


def provision_number(session: Connection, org_id: UUID, key: str) -> Answer:
    digits = int.from_bytes(sha256(f"{org_id} {key}".encode()).digest()) % 10**10
    query: LiteralString = "select wallet.provision_phone_number(%s, %s, %s)"
    return ask(session, query, org_id, f"+44{digits:010}", key)


def top_up(session: Connection, org_id: UUID, pence: int, key: str) -> Answer:
    query: LiteralString = """
        select wallet.add_wallet_credits(%s, %s, 'topup', p_idempotency_key => %s)
    """
    return ask(session, query, org_id, pence, key)


WAYS = {
    "deduct_call_credits": Way(deduct),
    "deduct_call_credits_batch": Way(deduct_batch),
    "check_balance_and_deduct_asset_cost": Way(buy_asset, uses_debt_limit=False),
    "reserve_and_commit": Way(reserve_and_commit, uses_debt_limit=False),
    "bill_call": Way(bill, owes=True),
    "record_call": Way(record, owes=True),
    "charge_sms": Way(charge_sms),
    "charge_usage": Way(charge_usage),
    "provision_phone_number": Way(provision_number, uses_debt_limit=False),
}
CALL_WAYS = (
    "deduct_call_credits",
    "deduct_call_credits_batch",
    "reserve_and_commit",
    "bill_call",
    "record_call",
)

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


# Wallets and meetings


def open_wallet(connection: Connection, pence: int = 0, debt_limit: int = 500) -> UUID:
    org_id = uuid4()
    query: LiteralString = "select wallet.create_wallet(%s, p_debt_limit_pence => %s)"
    ask(connection, query, org_id, debt_limit)
    if pence:
        assert top_up(connection, org_id, pence, "opening")["success"]
    return org_id


def money(connection: Connection, org_id: UUID) -> tuple[int, int, int]:
    """Balance, what is held and what is owed."""
    query: LiteralString = """
        select wallet_balance_pence, reserved_pence, owed_pence
          from wallet.organizations where id = %s
    """
    [(pence, reserved, owed)] = connection.execute(query, [org_id]).fetchall()
    return pence, reserved, owed


def charges(connection: Connection, org_id: UUID, call_id: str) -> list[int]:
    """What was charged for a call, entry by entry."""
    query: LiteralString = """
        select amount_pence from wallet.credit_transactions
         where org_id = %s and call_id = %s and type = 'call_deduction'
         order by entry_number
    """
    return [pence for (pence,) in connection.execute(query, [org_id, call_id])]


def calls_counted(connection: Connection, org_id: UUID) -> int:
    summary = ask(connection, "select wallet.get_wallet_summary(%s)", org_id)
    return int(summary["total_calls"])


def status(connection: Connection, org_id: UUID, call_id: str) -> str:
    query: LiteralString = """
        select status::text from wallet.credit_reservations where org_id = %s and call_id = %s
    """
    [(found,)] = connection.execute(query, [org_id, call_id]).fetchall()
    return str(found)


def lapse(connection: Connection, org_id: UUID, call_id: str = "%") -> None:
    """The time of what the wallet holds has passed, and no worker has seen it."""
    connection.execute(
        """
        update wallet.credit_reservations
           set expires_at = clock_timestamp() - interval '1 hour'
         where org_id = %s and call_id like %s and status = 'open'
        """,
        [org_id, call_id],
    )


def clean_up(session: Connection) -> Answer:
    return ask(session, "select wallet.cleanup_expired_reservations()")


class Meetings:
    """Sessions, opened as they are needed, that requests are sent from."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._judge, self._starter = connect(), connect()
        self._sessions: list[Connection] = []

    def meet(self, org_id: UUID, requests: Sequence[Request]) -> list[Answer]:
        """Every request in a session of its own, all let loose at the wallet at once."""
        sessions = self._open(len(requests))
        with ThreadPoolExecutor(len(requests)) as pool:
            with locked_wallet(self._starter, org_id):
                answers = [
                    pool.submit(request, session)
                    for request, session in zip(requests, sessions, strict=True)
                ]
                wait_for_waiters(self._judge, len(requests))
            return [future.result() for future in answers]

    def in_order(self, first: Request, second: Request) -> tuple[Answer, Answer]:
        """The second request begins before the first one is committed, and has to wait for it."""
        one, two = self._open(2)
        with ThreadPoolExecutor(1) as pool:
            with one.transaction():
                told_first = first(one)
                told_second = pool.submit(second, two)
                wait_for_waiters(self._judge, 1)
            return told_first, told_second.result()

    def _open(self, count: int) -> list[Connection]:
        while len(self._sessions) < count:
            self._sessions.append(self._connect())
        return self._sessions[:count]


@pytest.fixture
def meetings(connect: Connect) -> Meetings:
    return Meetings(connect)


def succeeded(answers: Sequence[Answer]) -> int:
    return sum(answer["success"] for answer in answers)


# Bug 11: a balance below the limit, holds that checks ignore


def test_six_reservations_of_1000_on_a_balance_of_5000_are_five(
    meetings: Meetings, judge: Connection
) -> None:
    """blnk 181: all six were accepted."""
    org_id = open_wallet(judge, 5000)

    answers = meetings.meet(org_id, [sending(reserve, org_id, f"call-{n}", 10) for n in range(6)])

    assert succeeded(answers) == 5
    [refused] = [a for a in answers if not a["success"]]
    assert refused["error"] == "insufficient_balance"
    assert (refused["reserved_pence"], refused["shortfall_pence"]) == (5000, 1000)
    assert sorted(a["effective_balance_pence"] for a in answers if a["success"]) == [
        0,
        1000,
        2000,
        3000,
        4000,
    ]
    assert money(judge, org_id) == (5000, 5000, 0)


@every_way
def test_spends_at_once_stop_exactly_at_the_limit(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    """lago-api 4985, 4987: balances went below their limit."""
    org_id = open_wallet(judge, 300, debt_limit=200)
    floor = -200 if way.uses_debt_limit else 0

    answers = meetings.meet(org_id, [way.request(org_id, f"key-{n}") for n in range(SESSIONS)])

    paid = (300 - floor) // PRICE
    owed = (SESSIONS - paid) * PRICE if way.owes else 0
    assert succeeded(answers) == (SESSIONS if way.owes else paid)
    assert money(judge, org_id) == (floor, 0, owed)
    refused = {a["error"] for a in answers if not a["success"]}
    assert refused <= {"debt_limit_exceeded", "insufficient_balance"}


@every_way
def test_spends_at_once_leave_alone_what_is_held(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    org_id = open_wallet(judge, 5000, debt_limit=0)
    assert reserve(judge, org_id, "under way", 45)["success"]

    answers = meetings.meet(org_id, [way.request(org_id, f"key-{n}") for n in range(SESSIONS)])

    owed = (SESSIONS - 5) * PRICE if way.owes else 0
    assert succeeded(answers) == (SESSIONS if way.owes else 5)
    assert money(judge, org_id) == (4500, 4500, owed)
    committed = commit(judge, org_id, "under way", 45 * 60)
    assert (committed["charged_pence"], committed["owed_pence"]) == (4500, 0)
    assert money(judge, org_id) == (0, 0, owed)


@every_way
def test_a_lapsed_reservation_stops_no_spend_though_no_worker_runs(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    org_id = open_wallet(judge, 500, debt_limit=0)
    assert reserve(judge, org_id, "forgotten", 5)["success"]
    lapse(judge, org_id)

    answers = meetings.meet(org_id, [way.request(org_id, f"key-{n}") for n in range(5)])

    assert succeeded(answers) == 5
    assert money(judge, org_id) == (0, 0, 0)


@every_way
def test_a_reservation_and_a_spend_of_the_last_money_agree(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    for reserving_first in (True, False):
        org_id = open_wallet(judge, PRICE, debt_limit=0)
        requests = [
            sending(reserve, org_id, "reserved"),
            way.request(org_id, "spent"),
        ]

        first, second = meetings.in_order(*(requests if reserving_first else requests[::-1]))

        assert first["success"]
        reserved, spent = (first, second) if reserving_first else (second, first)
        assert reserved["success"] is reserving_first
        if way.owes:
            assert spent["owed_pence"] == (PRICE if reserving_first else 0)
        else:
            assert spent["success"] is not reserving_first
        held_or_spent = (PRICE, PRICE) if reserving_first else (0, 0)
        assert money(judge, org_id)[:2] == held_or_spent


def test_commits_of_many_calls_at_once_take_what_each_has_reserved(
    meetings: Meetings, judge: Connection
) -> None:
    """blnk 171: concurrent commits raced."""
    org_id = open_wallet(judge, SESSIONS * PRICE, debt_limit=0)
    for n in range(SESSIONS):
        assert reserve(judge, org_id, f"call-{n}")["success"]

    answers = meetings.meet(org_id, [sending(commit, org_id, f"call-{n}") for n in range(SESSIONS)])

    assert {(a["charged_pence"], a["owed_pence"]) for a in answers} == {(PRICE, 0)}
    assert sorted(a["balance_after_pence"] for a in answers) == [n * PRICE for n in range(SESSIONS)]
    assert money(judge, org_id) == (0, 0, 0)


# Bug 12: a debt that nobody recorded, a call that was charged twice


@every_way
def test_what_a_call_owes_is_paid_before_another_spend_can_take_the_topup(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    """sexyvoice 499, magnusbilling 343: what a call cost above its reservation was lost."""
    for teller in (commit, bill, record):
        org_id = open_wallet(judge, 1000, debt_limit=500)
        reserve(judge, org_id, "long", 10)
        told = teller(judge, org_id, "long", 30 * 60)
        assert (told["charged_pence"], told["owed_pence"]) == (1500, 1500)
        assert money(judge, org_id) == (-500, 0, 1500)

        spends = [way.request(org_id, f"key-{n}") for n in range(6)]
        one, two = topups(org_id, 700, 900)
        meetings.meet(org_id, [*spends[:2], one, *spends[2:4], two, *spends[4:]])
        # Those that came before the second top-up ask again.
        paid = succeeded([spend(judge) for spend in spends])

        assert sum(charges(judge, org_id, "long")) == 3000
        assert len(charges(judge, org_id, "long")) == 3
        assert calls_counted(judge, org_id) >= 1
        # What came in beyond the debt is 100, and may be spent where the debt limit may be used.
        if way.owes:
            assert paid == len(spends)
            assert money(judge, org_id) == (-500, 0, (paid - 1) * PRICE)
        else:
            assert paid == (1 if way.uses_debt_limit else 0)
            assert money(judge, org_id) == (-400 - paid * PRICE, 0, 0)


def topups(org_id: UUID, *amounts: int) -> list[Request]:
    return [sending(top_up, org_id, pence, f"topup of {pence}") for pence in amounts]


def test_topups_at_once_pay_what_is_owed_once(meetings: Meetings, judge: Connection) -> None:
    org_id = open_wallet(judge, 0, debt_limit=0)
    bill(judge, org_id, "one", 5 * 60)
    bill(judge, org_id, "two", 5 * 60)
    bill(judge, org_id, "three", 0)

    answers = meetings.meet(org_id, [sending(top_up, org_id, 70, f"topup-{n}") for n in range(16)])

    assert succeeded(answers) == 16
    assert money(judge, org_id) == (16 * 70 - 1000, 0, 0)
    assert sum(charges(judge, org_id, "one")) == sum(charges(judge, org_id, "two")) == 500
    assert calls_counted(judge, org_id) == 2


@pytest.mark.parametrize("during", CALL_WAYS)
def test_a_call_is_never_charged_both_during_and_after_it(judge: Connection, during: str) -> None:
    """ivozprovider 703: one call was charged while it lasted and again when it had ended."""
    for after, is_reserved in product(CALL_WAYS, (True, False)):
        org_id = open_wallet(judge, 2000, debt_limit=0)
        if is_reserved:
            assert reserve(judge, org_id, "call", 5)["success"]

        told = [WAYS[name].spend(judge, org_id, "call") for name in (during, after) * 2]

        assert told[0]["success"]
        assert not any(answer["success"] and not answer["duplicate"] for answer in told[1:])
        assert charges(judge, org_id, "call") == [PRICE]
        assert calls_counted(judge, org_id) == 1
        assert money(judge, org_id)[0] == 1900
        end_whatever_is_held(judge, org_id)
        assert money(judge, org_id) == (1900, 0, 0)


@pytest.mark.parametrize("one", CALL_WAYS)
def test_a_call_told_in_two_ways_at_once_is_charged_once(
    meetings: Meetings, judge: Connection, one: str
) -> None:
    for other in CALL_WAYS:
        org_id = open_wallet(judge, 2000, debt_limit=0)
        assert reserve(judge, org_id, "call", 1)["success"]
        ways = [WAYS[one], WAYS[other]]

        answers = meetings.meet(org_id, [way.request(org_id, "call") for way in ways * 3])

        assert sum(a["success"] and not a["duplicate"] for a in answers) == 1
        assert charges(judge, org_id, "call") == [PRICE]
        end_whatever_is_held(judge, org_id)
        assert money(judge, org_id) == (1900, 0, 0)


@pytest.mark.parametrize("deducting", [deduct, deduct_batch])
def test_a_commit_and_another_charge_of_the_same_call_at_once_are_one(
    meetings: Meetings, judge: Connection, deducting: Callable[..., Answer]
) -> None:
    """They don't even agree on the money: the first one counts."""
    for telling, deducting_first in product((commit, bill, record), (True, False)):
        org_id = open_wallet(judge, 2000, debt_limit=0)
        assert reserve(judge, org_id, "call", 5)["success"]
        requests: list[Request] = [
            sending(deducting, org_id, "call"),
            sending(telling, org_id, "call", 120),
        ]

        first, second = meetings.in_order(*(requests if deducting_first else requests[::-1]))

        assert first["success"]
        assert not first["duplicate"]
        assert not second["success"] or second["duplicate"]
        assert charges(judge, org_id, "call") == [PRICE if deducting_first else 200]
        assert money(judge, org_id)[1:] == (0, 0)


@pytest.mark.parametrize("in_batch", [False, True], ids=["single", "batch"])
def test_a_call_that_backend_and_provider_know_by_ids_of_their_own_is_charged_once(
    meetings: Meetings, judge: Connection, in_batch: bool
) -> None:
    for telling, deducting_first in product((record, reconcile), (True, False)):
        org_id = open_wallet(judge, 2000, debt_limit=0)
        call = provider_call(org_id, "theirs", 120)
        del call["metadata"]["call_id"]
        ours = charge(org_id, "ours") | {"vapi_call_id": call["id"]}
        requests: list[Request] = [
            sending(send_batch, [ours]) if in_batch else sending(deduct_charge, ours),
            sending(record_call, call) if telling is record else sending(reconcile, [call]),
        ]

        meetings.in_order(*(requests if deducting_first else requests[::-1]))

        price = PRICE if deducting_first else 200
        assert money(judge, org_id) == (2000 - price, 0, 0)
        assert calls_counted(judge, org_id) == 1


@pytest.mark.parametrize("deducting", [deduct, deduct_batch])
def test_a_call_that_was_billed_and_cost_nothing_is_not_charged_afterwards(
    judge: Connection, deducting: Callable[..., Answer]
) -> None:
    for telling in (commit, bill, record):
        org_id = open_wallet(judge, 2000)
        assert reserve(judge, org_id, "call", 5)["success"]
        assert telling(judge, org_id, "call", 0)["success"]

        assert deducting(judge, org_id, "call")["error"] == "idempotency_conflict"

        assert charges(judge, org_id, "call") == []
        assert money(judge, org_id) == (2000, 0, 0)


def end_whatever_is_held(connection: Connection, org_id: UUID) -> None:
    lapse(connection, org_id)
    clean_up(connection)


# Bug 13: success with an empty body


@every_way
def test_spends_at_once_are_all_answered_in_full(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    """formance ledger 364: a concurrent post answered success and nothing else."""
    org_id = open_wallet(judge, 50_000)

    answers = meetings.meet(org_id, [way.request(org_id, f"key-{n}") for n in range(SESSIONS)])

    assert all(a["success"] and not a["duplicate"] for a in answers)
    assert len({UUID(a["transaction_id"]) for a in answers}) == SESSIONS
    assert sorted(a["entry_number"] for a in answers) == list(range(2, SESSIONS + 2))
    assert sorted((a["balance_before"], a["balance_after"]) for a in answers) == [
        (50_000 - PRICE * n, 50_000 - PRICE * (n + 1)) for n in reversed(range(SESSIONS))
    ]


@every_way
def test_the_same_spend_from_sixteen_sessions_is_one_and_answered_alike(
    meetings: Meetings, judge: Connection, way: Way
) -> None:
    org_id = open_wallet(judge, 5000)

    answers = meetings.meet(org_id, [way.request(org_id, "key")] * SESSIONS)

    assert all(a["success"] for a in answers)
    assert sorted(a["duplicate"] for a in answers) == [False] + [True] * (SESSIONS - 1)
    told = {(a["transaction_id"], a["balance_before"], a["balance_after"]) for a in answers}
    assert len(told) == 1
    assert money(judge, org_id) == (4900, 0, 0)


# Two sessions at one reservation


def test_reservations_of_one_call_at_once_are_one(meetings: Meetings, judge: Connection) -> None:
    org_id = open_wallet(judge, 5000)

    answers = meetings.meet(org_id, [sending(reserve, org_id, "call", 10)] * SESSIONS)

    assert all(a["success"] for a in answers)
    assert sorted(a["duplicate"] for a in answers) == [False] + [True] * (SESSIONS - 1)
    assert len({a["reservation_id"] for a in answers}) == 1
    assert money(judge, org_id) == (5000, 1000, 0)


def test_a_commit_and_a_release_at_once_end_in_one_of_the_two(
    meetings: Meetings, judge: Connection
) -> None:
    for committing_first in (True, False):
        org_id = open_wallet(judge, 1000)
        assert reserve(judge, org_id, "call", 10)["success"]
        requests: list[Request] = [
            sending(commit, org_id, "call"),
            sending(release, org_id, "call"),
        ]

        first, second = meetings.in_order(*(requests if committing_first else requests[::-1]))

        assert first["success"]
        assert second["error"] == "no_active_reservation"
        assert status(judge, org_id, "call") == ("committed" if committing_first else "released")
        assert money(judge, org_id) == (900 if committing_first else 1000, 0, 0)
        assert charges(judge, org_id, "call") == ([PRICE] if committing_first else [])


def test_commits_and_releases_of_one_call_from_many_sessions_end_in_one_of_the_two(
    meetings: Meetings, judge: Connection
) -> None:
    org_id = open_wallet(judge, 1000)
    assert reserve(judge, org_id, "call", 10)["success"]

    answers = meetings.meet(
        org_id,
        [
            *[sending(commit, org_id, "call")] * 8,
            *[sending(release, org_id, "call")] * 8,
        ],
    )

    assert succeeded(answers) == 8
    committed = status(judge, org_id, "call") == "committed"
    assert {a["success"] for a in answers[:8]} == {committed}
    assert {a["success"] for a in answers[8:]} == {not committed}
    assert money(judge, org_id) == (900 if committed else 1000, 0, 0)


def test_two_commits_of_one_call_at_once_are_one(meetings: Meetings, judge: Connection) -> None:
    org_id = open_wallet(judge, 1000)
    assert reserve(judge, org_id, "call", 5)["success"]

    first, second = meetings.in_order(
        sending(commit, org_id, "call"), sending(commit, org_id, "call")
    )

    assert not first["duplicate"]
    assert second == first | {"duplicate": True}
    assert money(judge, org_id) == (900, 0, 0)


def test_a_commit_and_its_expiry_at_once_charge_the_call(
    connect: Connect, judge: Connection
) -> None:
    worker, backend = connect(options="-c lock_timeout=5s"), connect()
    expiring = open_wallet(judge, 1000)
    committing = open_wallet(judge, 1000)
    for org_id in (expiring, committing):
        assert reserve(judge, org_id, "call", 5)["success"]
        lapse(judge, org_id)

    # The commit waits for the expiry, and charges what has expired.
    with ThreadPoolExecutor(1) as pool:
        with backend.transaction():
            told_commit = commit(backend, committing, "call")
            with worker.transaction():
                # The worker waits for no wallet that is in use.
                assert clean_up(worker) == {"success": True, "expired": 1, "released_pence": 500}
                late = pool.submit(commit, connect(), expiring, "call")
                wait_for_waiters(judge, 1)
        told_late = late.result()

    for org_id, told in ((committing, told_commit), (expiring, told_late)):
        assert (told["success"], told["duplicate"], told["charged_pence"]) == (True, False, PRICE)
        assert status(judge, org_id, "call") == "committed"
        assert money(judge, org_id) == (900, 0, 0)
    assert clean_up(worker)["expired"] == 0


def test_a_release_and_its_expiry_at_once_give_back_once(
    connect: Connect, judge: Connection
) -> None:
    worker = connect()
    org_id = open_wallet(judge, 1000)
    for call_id, minutes in (("lapsed", 3), ("open", 5)):
        assert reserve(judge, org_id, call_id, minutes)["success"]
    lapse(judge, org_id, "lapsed")

    with ThreadPoolExecutor(1) as pool:
        with worker.transaction():
            assert clean_up(worker)["expired"] == 1
            released = pool.submit(release, connect(), org_id, "lapsed")
            wait_for_waiters(judge, 1)
        released.result()

    assert money(judge, org_id) == (1000, 500, 0)


def test_an_extension_and_the_end_of_a_call_at_once_leave_nothing_held(
    meetings: Meetings, judge: Connection
) -> None:
    for ending, extending_first in product((commit, release, bill, record), (True, False)):
        org_id = open_wallet(judge, 5000)
        assert reserve(judge, org_id, "call", 5)["success"]
        requests: list[Request] = [
            sending(extend, org_id, "call", 20),
            sending(ending, org_id, "call"),
        ]

        first, second = meetings.in_order(*(requests if extending_first else requests[::-1]))

        assert first["success"]
        assert second["success"] is extending_first
        assert money(judge, org_id) == (5000 if ending is release else 4900, 0, 0)


def test_an_extension_and_a_spend_of_the_last_money_agree(
    meetings: Meetings, judge: Connection
) -> None:
    for extending_first in (True, False):
        org_id = open_wallet(judge, 1000, debt_limit=0)
        assert reserve(judge, org_id, "call", 5)["success"]
        requests: list[Request] = [
            sending(extend, org_id, "call", 10),
            sending(deduct, org_id, "other", 500),
        ]

        first, second = meetings.in_order(*(requests if extending_first else requests[::-1]))

        assert (first["success"], second["success"]) == (True, False)
        assert money(judge, org_id) == ((1000, 1000, 0) if extending_first else (500, 500, 0))


@pytest.mark.parametrize("ending", [commit, release, bill, record])
def test_what_ends_a_reservation_and_is_rolled_back_has_not_ended_it(
    connect: Connect, judge: Connection, ending: Callable[..., Answer]
) -> None:
    org_id = open_wallet(judge, 1000)
    assert reserve(judge, org_id, "call", 5)["success"]
    session = connect()

    with session.transaction(force_rollback=True):
        assert ending(session, org_id, "call")["success"]

    assert money(judge, org_id) == (1000, 500, 0)
    assert status(judge, org_id, "call") == "open"
    told = ending(session, org_id, "call")
    assert (told["success"], told["duplicate"]) == (True, False)
    assert money(judge, org_id)[1] == 0


def test_two_organizations_share_a_call_id_and_nothing_else(
    connect: Connect, judge: Connection
) -> None:
    one, other = open_wallet(judge, 1000), open_wallet(judge, 1000)
    for org_id in (one, other):
        assert reserve(judge, org_id, "shared", 5)["success"]

    with pytest.raises(psycopg.Error) as raised:
        commit(judge, None, "shared")  # type: ignore[arg-type]
    assert raised.value.sqlstate == "WL001"

    session = connect()
    with session.transaction():
        assert commit(session, one, "shared")["success"]
        # The other one's commit waits for nobody.
        judge.execute("set lock_timeout = '1ms'")
        assert commit(judge, other, "shared", 120)["success"]
    assert (money(judge, one), money(judge, other)) == ((900, 0, 0), (800, 0, 0))


# Batches


def test_two_batches_in_opposite_order_wait_and_never_deadlock(
    meetings: Meetings, judge: Connection
) -> None:
    org_ids = sorted(open_wallet(judge, 1000) for _ in range(21))
    batch = [charge(org_id, "call-1") for org_id in org_ids]
    opposite = [charge(org_id, "call-2") for org_id in reversed(org_ids)]

    # Held up half-way, either has locked what the other one comes to next, or waits at its start.
    answers = meetings.meet(
        org_ids[10],
        [sending(send_batch, batch), sending(send_batch, opposite)],
    )

    assert [(a["charged"], a["refused"]) for a in answers] == [(21, 0), (21, 0)]
    assert {money(judge, org_id) for org_id in org_ids} == {(800, 0, 0)}


def test_a_batch_and_a_reconciliation_in_opposite_order_wait_and_never_deadlock(
    meetings: Meetings, judge: Connection
) -> None:
    org_ids = sorted(open_wallet(judge, 1000) for _ in range(21))
    batch = [charge(org_id, "call-1") for org_id in org_ids]
    missing = [provider_call(org_id, "call-2", 60) for org_id in reversed(org_ids)]

    charged, reconciled = meetings.meet(
        org_ids[10], [sending(send_batch, batch), sending(reconcile, missing)]
    )

    assert (charged["charged"], reconciled["recovered"]) == (21, 21)
    assert {money(judge, org_id) for org_id in org_ids} == {(800, 0, 0)}


def test_batches_charges_and_the_worker_never_deadlock(connect: Connect, judge: Connection) -> None:
    """Each over the same organizations, in an order of its own, some with holds and debts."""
    random = Random(4)  # noqa: S311
    org_ids = [open_wallet(judge, 10_000, debt_limit=1_000_000) for _ in range(60)]
    sessions = [connect(options="-c deadlock_timeout=20ms") for _ in range(8)]
    barrier = Barrier(len(sessions))
    rounds = 12

    def shuffled() -> list[UUID]:
        return random.sample(org_ids, len(org_ids))

    def play(number: int, orders: list[list[UUID]]) -> int:
        session, charged = sessions[number], 0
        for turn, order in enumerate(orders):
            barrier.wait(60)
            if number < 4:
                batch = [charge(org_id, f"{number}-{turn}", 1) for org_id in order]
                charged += send_batch(session, batch)["charged"]
            elif number < 6:
                for org_id in order:
                    charged += succeeded([deduct(session, org_id, f"{number}-{turn}", 1)])
            elif number == 6:
                for org_id in order[:20]:
                    reserve(session, org_id, f"{number}-{turn}")
                    lapse(session, org_id)
                    charged += commit(session, org_id, f"{number}-{turn}")["charged_pence"]
                    reserve(session, org_id, f"forgotten-{turn}")
                    lapse(session, org_id)
            else:
                clean_up(session)
        return charged

    with ThreadPoolExecutor(len(sessions)) as pool:
        plans = [[shuffled() for _ in range(rounds)] for _ in sessions]
        charged = list(pool.map(play, range(len(sessions)), plans))

    assert charged == [60 * rounds] * 6 + [20 * rounds * PRICE, 0]
    total = sum(balance(judge, org_id) for org_id in org_ids)
    assert total == 60 * 10_000 - sum(charged)
    clean_up(judge)
    assert {money(judge, org_id)[1:] for org_id in org_ids} == {(0, 0)}


def test_a_batch_and_a_single_charge_of_its_call_at_once_are_one(
    meetings: Meetings, judge: Connection
) -> None:
    for batching_first in (True, False):
        org_id = open_wallet(judge, 1000)
        requests: list[Request] = [
            sending(send_batch, [charge(org_id, "a"), charge(org_id, "b"), charge(org_id, "c")]),
            sending(deduct, org_id, "b"),
        ]

        first, second = meetings.in_order(*(requests if batching_first else requests[::-1]))

        batch, single = (first, second) if batching_first else (second, first)
        assert (batch["charged"], batch["duplicates"]) == ((3, 0) if batching_first else (2, 1))
        assert single["duplicate"] is batching_first
        assert batch["results"][1]["transaction_id"] == single["transaction_id"]
        assert money(judge, org_id) == (700, 0, 0)


def test_the_same_batch_from_many_sessions_at_once_is_one(
    meetings: Meetings, judge: Connection
) -> None:
    org_ids = sorted(open_wallet(judge, 1000) for _ in range(5))
    batch = [charge(org_id, f"call-{n}") for org_id in org_ids for n in range(4)]

    def shuffle(seed: int) -> list[Answer]:
        return Random(seed).sample(batch, len(batch))  # noqa: S311

    answers = meetings.meet(org_ids[0], [sending(send_batch, shuffle(n)) for n in range(8)])

    assert sorted((a["charged"], a["duplicates"]) for a in answers) == [(0, 20)] * 7 + [(20, 0)]
    assert {money(judge, org_id) for org_id in org_ids} == {(600, 0, 0)}


def test_batches_at_once_stop_exactly_at_the_limit(meetings: Meetings, judge: Connection) -> None:
    org_ids = sorted(open_wallet(judge, 300, debt_limit=200) for _ in range(3))

    answers = meetings.meet(
        org_ids[0],
        [
            sending(
                send_batch, [charge(org_id, f"{n}-{k}") for k in range(2) for org_id in org_ids]
            )
            for n in range(6)
        ],
    )

    assert sum(a["charged"] for a in answers) == 15
    assert sum(a["refused"] for a in answers) == 21
    assert {money(judge, org_id) for org_id in org_ids} == {(-200, 0, 0)}
