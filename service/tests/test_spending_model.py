"""Wallets that reserve, spend, owe and are paid, held against a plain model after every step.

The examples are the same in every run; SPENDING_EXAMPLES=1000 tries as many others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from psycopg import sql
from psycopg.types.json import Jsonb

from .spending_model import (
    CENTS_A_QUERY,
    CENTS_A_SEGMENT,
    FAILED,
    Answer,
    Wallet,
    call_object,
    end_of_call_report,
    pence,
    price_of_call,
)

Connect = Callable[..., psycopg.Connection[Any]]

EXAMPLES = os.environ.get("SPENDING_EXAMPLES")

# Few and small, so that ids are used again, money runs out, and debts are made and paid.
WHICH = st.integers(0, 1)
KEYS = st.sampled_from("abcd")
CALLS = st.sampled_from("abcdefgh")
MINUTES = st.integers(1, 4)
SECONDS = st.sampled_from([0, 30, 90, 150, 240])
CREDITS = st.sampled_from([20, 100, 300])
AMOUNTS = st.sampled_from([1, 20, 60])
PICK = st.integers(0, 63)
STATUSES = st.lists(
    st.sampled_from(["queued", "sent", "delivered", *FAILED]), min_size=1, max_size=4
)
RESERVATIONS = st.lists(st.tuples(WHICH, CALLS, MINUTES, st.booleans()), min_size=1, max_size=4)

PLACED_AT = datetime(2025, 3, 1, 12, tzinfo=UTC)


STATES: LiteralString = """
    with reservations as (
        select org_id, call_id, reserved_pence, status = 'open' as is_open,
               case when status = 'open' and expires_at <= clock_timestamp()
                    then 'expired' else status end as status
          from wallet.credit_reservations
         where org_id = any(%(organizations)s)
    )
    select jsonb_build_object(
        'balance', wallet_balance_pence,
        'owed', owed_pence,
        'noted_as_held', reserved_pence,
        'held_by_open', (
            select coalesce(sum(reserved_pence), 0) from reservations
             where org_id = o.id and is_open
        ),
        'held', (
            select coalesce(sum(reserved_pence), 0) from reservations
             where org_id = o.id and status = 'open'
        ),
        'entries', (
            select coalesce(jsonb_agg(jsonb_build_array(
                       idempotency_key, type, balance_before_pence, balance_after_pence
                   ) order by entry_number), '[]')
              from wallet.credit_transactions
             where org_id = o.id
        ),
        'calls', (
            select coalesce(jsonb_object_agg(call_id, jsonb_build_array(
                       duration_seconds, cost_pence, charged_pence, owed_pence
                   )), '{}')
              from wallet.calls
             where org_id = o.id
        ),
        'reservations', (
            select coalesce(jsonb_object_agg(
                       call_id, jsonb_build_array(status, reserved_pence)
                   ), '{}')
              from reservations
             where org_id = o.id
        )
    )
    from wallet.organizations as o
    where id = any(%(organizations)s)
    order by array_position(%(organizations)s, id)
"""


# What changes a wallet by so many pence


def give(session: Spending, wallet: Wallet, key: str, amount: int) -> None:
    query = "select wallet.adjust_wallet(%s, %s, 'credit', 'a reason', 'a test', %s)"
    answer = session.call(query, wallet.org_id, amount, key)
    agree(answer, wallet.credit(key, "adjustment", amount))


def take(session: Spending, wallet: Wallet, key: str, amount: int) -> None:
    query = "select wallet.adjust_wallet(%s, %s, 'debit', 'a reason', 'a test', %s)"
    answer = session.call(query, wallet.org_id, amount, key)
    agree(answer, wallet.spend(key, "adjustment", amount))


def claw_back(session: Spending, wallet: Wallet, key: str, amount: int) -> None:
    query = """
        select wallet.post_transaction(%s, 'topup_reversal', 'debit', %s, %s, 'unlimited', 'a test')
    """
    answer = session.call(query, wallet.org_id, amount, f"reversal:{key}")
    agree(answer, wallet.claw_back(f"reversal:{key}", amount))


def set_debt_limit(session: Spending, wallet: Wallet, key: str, amount: int) -> None:
    wallet.debt_limit = amount
    session.call("select wallet.set_debt_limit(%s, %s, 'a test')", wallet.org_id, amount)


# What spends so many pence of a wallet, or so many of something else, under a key


def deduct(session: Spending, wallet: Wallet, key: str, amount: int) -> None:
    amount = price(wallet, key, amount)
    query = "select wallet.deduct_call_credits(%s, %s, null, 1, 0, %s)"
    answer = session.call(query, wallet.org_id, key, amount)
    agree(answer, wallet.deduct(key, amount))


def price(wallet: Wallet, call_id: str, amount: int) -> int:
    """Mostly what the call costs, where it is billed already."""
    call = wallet.calls.get(call_id)
    return amount if call is None or amount == 60 else max(1, call.cost)


def charge_usage(session: Spending, wallet: Wallet, key: str, queries: int) -> None:
    query, key = "select wallet.charge_usage(%s, 'knowledge_base_query', %s, %s)", f"usage:{key}"
    answer = session.call(query, wallet.org_id, queries, key)
    amount = pence(queries * CENTS_A_QUERY)
    agree(answer, wallet.spend(key, "knowledge_base_deduction", amount))


def charge_sms(session: Spending, wallet: Wallet, key: str, segments: int) -> None:
    query = "select wallet.charge_sms(%s, %s, %s, %s)"
    answer = session.call(query, wallet.org_id, key, segments, f"SM{wallet.org_id}{key}")
    agree(answer, wallet.charge_sms(key, segments))


def buy(session: Spending, wallet: Wallet, key: str, amount: int) -> None:
    query, key = (
        "select wallet.check_balance_and_deduct_asset_cost(%s, %s, 'did', 'a number', %s)",
        f"did:{key}",
    )
    answer = session.call(query, wallet.org_id, amount, key)
    agree(answer, wallet.buy(key, "did", amount))


# What becomes of a call, or of its reservation, after so many seconds


def extend(session: Spending, wallet: Wallet, call_id: str, seconds: int) -> None:
    """For two minutes that are still to come, or as much of them as can be paid."""
    minutes, partial = 3 + seconds // 60, seconds == 90
    query = "select wallet.extend_reservation(%s, %s, %s, %s)"
    answer = session.call(query, call_id, minutes, wallet.org_id, partial)
    agree(answer, wallet.extend(call_id, minutes, partial=partial))


def commit(session: Spending, wallet: Wallet, call_id: str, seconds: int) -> None:
    query = "select wallet.commit_reserved_credits(%s, %s, %s)"
    answer = session.call(query, call_id, seconds, wallet.org_id)
    agree(answer, wallet.commit(call_id, seconds))


def bill(session: Spending, wallet: Wallet, call_id: str, seconds: int) -> None:
    query = "select wallet.bill_call(%s, %s, %s)"
    agree(session.call(query, wallet.org_id, call_id, seconds), wallet.bill(call_id, seconds))


def record(session: Spending, wallet: Wallet, call_id: str, seconds: int) -> None:
    """A webhook is never refused: what was billed with another duration stands."""
    report = end_of_call_report(provider_call(wallet.org_id, call_id, seconds))
    answer = session.call("select wallet.record_call(%s)", Jsonb(report))
    known = wallet.calls.get(call_id)
    expected = wallet.bill(call_id, known.seconds if known else seconds)
    outcome = "duplicate" if expected["duplicate"] else "processed"
    agree(answer, expected | {"outcome": outcome})


def release(session: Spending, wallet: Wallet, call_id: str, seconds: int) -> None:
    answer = session.call("select wallet.release_reservation(%s, %s)", call_id, wallet.org_id)
    agree(answer, wallet.release(call_id))


def lapse(session: Spending, wallet: Wallet, call_id: str, seconds: int) -> None:
    """The clock can't be set, so time passes for one reservation at a time."""
    wallet.lapse(call_id)
    query = """
        update wallet.credit_reservations set expires_at = clock_timestamp()
         where org_id = %s and call_id = %s and status = 'open'
    """
    session.connection.execute(query, [wallet.org_id, call_id])


Way = Callable[["Spending", Wallet, str, int], None]
CORRECTIONS = [give, take, claw_back, set_debt_limit]
SPENDING = [deduct, charge_usage, charge_sms, buy]
ENDINGS = [commit, bill, record]
CLOSINGS = [release, lapse]


class Spending(RuleBasedStateMachine):
    """Every rule is one request of a backend, a provider or the passing time."""

    connection: psycopg.Connection[Any]

    def __init__(self) -> None:
        super().__init__()
        self.wallets = [Wallet(debt_limit=limit) for limit in (50, 0)]
        for wallet in self.wallets:
            query = "select wallet.create_wallet(%s, p_debt_limit_pence => %s)"
            self.call(query, wallet.org_id, wallet.debt_limit)

    @initialize(opening=st.integers(0, 500), calls=RESERVATIONS)
    def begin(self, opening: int, calls: list[tuple[int, str, int, bool]]) -> None:
        for wallet in self.wallets:
            self.credit(wallet, "opening", 1 + opening)
        self.reserve(calls)

    def teardown(self) -> None:
        ids = [wallet.org_id for wallet in self.wallets]
        query = "select * from wallet.validate_credits_consistency() where org_id = any(%s)"
        assert self.rows(query, ids) == []
        for org_id in ids:
            assert self.rows("select * from wallet.verify_ledger(%s)", org_id) == []

    # Money in

    @rule(which=WHICH, key=CALLS, amount=CREDITS)
    def top_up(self, which: int, key: str, amount: int) -> None:
        self.credit(self.wallets[which], key, amount)

    def credit(self, wallet: Wallet, key: str, amount: int) -> None:
        query = "select wallet.add_wallet_credits(%s, %s, 'topup', %s)"
        intent_id = f"pi_{wallet.org_id}_{key}"
        answer = self.call(query, wallet.org_id, amount, intent_id)
        agree(answer, wallet.credit(f"topup:{intent_id}", "topup", amount))

    @rule(which=WHICH, key=KEYS, amount=AMOUNTS, way=st.sampled_from(CORRECTIONS))
    def correct(self, which: int, key: str, amount: int, way: Way) -> None:
        way(self, self.wallets[which], key, amount)

    @rule(frozen=st.booleans())
    def freeze(self, frozen: bool) -> None:
        """Never both, since little happens to a wallet that is."""
        wallet = self.wallets[1]
        wallet.frozen = frozen
        name = "freeze_wallet" if frozen else "unfreeze_wallet"
        query = sql.SQL("select wallet.{}(%s, 'a reason', 'a test')").format(sql.Identifier(name))
        self.call(query, wallet.org_id)

    # Money out

    @rule(which=WHICH, key=KEYS, amount=AMOUNTS, way=st.sampled_from(SPENDING))
    def spend(self, which: int, key: str, amount: int, way: Way) -> None:
        way(self, self.wallets[which], key, amount)

    @rule(charges=st.lists(st.tuples(WHICH, KEYS, AMOUNTS), min_size=1, max_size=6))
    def deduct_batch(self, charges: list[tuple[int, str, int]]) -> None:
        charges = [
            (which, key, price(self.wallets[which], key, amount)) for which, key, amount in charges
        ]
        items = [
            {
                "org_id": str(self.wallets[which].org_id),
                "call_id": key,
                "provider_cost_pence": 1,
                "markup_percent": 0,
                "client_charged_pence": amount,
            }
            for which, key, amount in charges
        ]
        answer = self.call("select wallet.deduct_call_credits_batch(%s)", Jsonb(items))
        assert len(answer["results"]) == len(charges)
        for which, *_ in charges:
            self.wallets[which].collect()  # before the first of them, and even if all are known
        for result, (which, key, amount) in zip(answer["results"], charges, strict=True):
            agree(result, self.wallets[which].deduct(key, amount))

    @rule(which=WHICH, key=KEYS, statuses=STATUSES)
    def tell_sms_statuses(self, which: int, key: str, statuses: list[str]) -> None:
        wallet = self.wallets[which]
        for status in statuses:
            callback = {"MessageSid": f"SM{wallet.org_id}{key}", "MessageStatus": status}
            answer = self.call("select wallet.record_sms_status(%s)", Jsonb(callback))
            assert answer["outcome"] == wallet.tell_status(key, status)

    # Calls

    @rule(calls=RESERVATIONS)
    def reserve(self, calls: list[tuple[int, str, int, bool]]) -> None:
        for which, call_id, minutes, partial in calls:
            wallet = self.wallets[which]
            query = "select wallet.reserve_call_credits(%s, %s, null, %s, %s)"
            answer = self.call(query, wallet.org_id, call_id, minutes, partial)
            agree(answer, wallet.reserve(call_id, minutes, partial=partial))

    @rule(which=WHICH, pick=PICK, seconds=SECONDS)
    def extend(self, which: int, pick: int, seconds: int) -> None:
        self.tell(which, pick, seconds, extend)

    @rule(which=WHICH, pick=PICK, seconds=SECONDS, way=st.sampled_from(CLOSINGS))
    def close(self, which: int, pick: int, seconds: int, way: Way) -> None:
        self.tell(which, pick, seconds, way)

    @rule(which=WHICH, pick=PICK, seconds=SECONDS, way=st.sampled_from(ENDINGS))
    def end(self, which: int, pick: int, seconds: int, way: Way) -> None:
        self.tell(which, pick, seconds, way)

    def tell(self, which: int, pick: int, seconds: int, way: Way) -> None:
        """Mostly of a call that money is held for."""
        wallet = self.wallets[which]
        call_ids = [one for one in wallet.reservations if wallet.reservations[one].status == "open"]
        if pick % 4 == 0 or not call_ids:
            call_ids = [*wallet.reservations, "h"]
        way(self, wallet, call_ids[pick % len(call_ids)], seconds)

    @rule()
    def cleanup(self) -> None:
        assert self.call("select wallet.cleanup_expired_reservations()")["success"]
        query = """
            select count(*) from wallet.credit_reservations
             where status = 'open' and expires_at <= clock_timestamp()
        """
        assert self.connection.execute(query).fetchall() == [(0,)]

    @rule(calls=st.lists(st.tuples(WHICH, CALLS, SECONDS), max_size=4, unique_by=lambda c: c[:2]))
    def reconcile(self, calls: list[tuple[int, str, int]]) -> None:
        listed = [
            provider_call(self.wallets[which].org_id, call_id, seconds)
            for which, call_id, seconds in calls
        ]
        query = "select wallet.reconcile_calls('2025-03-01', '2025-03-02', %s)"
        answer = self.call(query, Jsonb(listed))
        assert answer["failed"] == []
        for which, call_id, seconds in sorted(calls):
            if call_id not in self.wallets[which].calls:
                self.wallets[which].bill(call_id, seconds)

    # Questions

    @rule(which=WHICH, minutes=MINUTES, segments=st.sampled_from([1, 10, 20]))
    def ask(self, which: int, minutes: int, segments: int) -> None:
        """A gate says what the request that follows would be answered."""
        wallet, query = self.wallets[which], "select wallet.check_billing_gate(%s, %s, %s)"

        answer = self.call(query, wallet.org_id, "call", minutes * 60)
        required = max(79, price_of_call(minutes * 60))
        agree(answer, gate(wallet, required, wallet.free, "insufficient_balance"))
        reserve = "select wallet.reserve_call_credits(%s, 'new', null, %s)"
        accepted = self.would_do(reserve, wallet.org_id, minutes)
        assert answer["allowed"] == (accepted and wallet.free >= 79)

        answer = self.call(query, wallet.org_id, "sms", segments)
        available = wallet.free + wallet.debt_limit
        required = pence(segments * CENTS_A_SEGMENT)
        agree(answer, gate(wallet, required, available, "debt_limit_exceeded"))
        charge = "select wallet.charge_sms(%s, 'new', %s)"
        assert answer["allowed"] == self.would_do(charge, wallet.org_id, segments)

    def would_do(self, query: Any, *args: Any) -> bool:
        with self.connection.transaction(force_rollback=True):
            return bool(self.call(query, *args)["success"])

    # What holds after each step

    @invariant()
    def the_wallets_are_what_the_model_says(self) -> None:
        ids = [wallet.org_id for wallet in self.wallets]
        states = self.connection.execute(STATES, {"organizations": ids}).fetchall()
        for wallet, (state,) in zip(self.wallets, states, strict=True):
            # What has lapsed is held until somebody notices, and stops nobody.
            assert state.pop("noted_as_held") == state.pop("held_by_open")
            assert state == expected_state(wallet)

    # What the rules need

    def call(self, query: Any, *args: Any) -> dict[str, Any]:
        [(answer,)] = self.rows(query, *args)
        assert isinstance(answer, dict)
        return answer

    def rows(self, query: Any, *args: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, args).fetchall()


def expected_state(wallet: Wallet) -> dict[str, Any]:
    return {
        "balance": wallet.balance,
        "owed": wallet.owed,
        "held": wallet.held,
        "entries": [
            [key, entry.kind, entry.before, entry.after] for key, entry in wallet.entries.items()
        ],
        "calls": {
            call_id: [call.seconds, call.cost, call.charged, call.owed]
            for call_id, call in wallet.calls.items()
        },
        "reservations": {
            call_id: [reservation.status, reservation.pence]
            for call_id, reservation in wallet.reservations.items()
        },
    }


def gate(wallet: Wallet, required: int, available: int, shortage: str) -> Answer:
    reason = "wallet_frozen" if wallet.frozen else shortage if available < required else None
    return {
        "success": True,
        "allowed": reason is None,
        "reason": reason,
        "required_pence": required,
        "available_pence": available,
    }


def provider_call(org_id: UUID, call_id: str, seconds: int) -> dict[str, Any]:
    metadata = {"org_id": str(org_id), "call_id": call_id}
    return call_object(f"vapi-{org_id}-{call_id}", seconds, placed_at=PLACED_AT, metadata=metadata)


def agree(answer: dict[str, Any], expected: Answer) -> None:
    assert {name: answer.get(name) for name in expected} == expected


def test_wallets_spend_owe_and_hold_what_the_model_says(connect: Connect) -> None:
    class Wallets(Spending):
        connection = connect()

    Wallets.connection.execute("select wallet.configure_freeze('operator', true, true, 'a test')")
    run_state_machine_as_test(
        Wallets,
        settings=settings(
            max_examples=int(EXAMPLES or 150),
            stateful_step_count=30,
            derandomize=EXAMPLES is None,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.generate, Phase.shrink],
        ),
    )
