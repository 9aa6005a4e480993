"""Random operations on a few wallets, held against a plain model of what they should do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from ..sandbox import events

Connect = Callable[..., psycopg.Connection[Any]]

WALLETS = 2
# Few and small, so that keys are reused and limits are met.
KEYS = st.integers(0, 4)
AMOUNTS = st.integers(1, 4)


@dataclass
class Wallet:
    """What a wallet has to be, without a word of SQL."""

    org_id: UUID = field(default_factory=uuid4)
    balance: int = 0
    debt_limit: int = 5
    entries: dict[str, tuple[str, int, int, int]] = field(default_factory=dict)

    def post(self, key: str, kind: str, change: int, floor: int | None) -> dict[str, Any]:
        if key in self.entries:
            old_kind, old_change, before, after = self.entries[key]
            if (old_kind, old_change) != (kind, change):
                return {"success": False}
            duplicate = True
        elif floor is not None and change < 0 and self.balance + change < floor:
            return {"success": False}
        else:
            before, after = self.balance, self.balance + change
            self.entries[key] = (kind, change, before, after)
            self.balance = after
            duplicate = False
        return {
            "success": True,
            "duplicate": duplicate,
            "balance_before": before,
            "balance_after": after,
        }


class Session:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.wallets = [Wallet() for _ in range(WALLETS)]
        for wallet in self.wallets:
            self.call("select wallet.create_wallet(%s, p_debt_limit_pence => 5)", wallet.org_id)

    def call(self, query: Any, *args: Any) -> dict[str, Any]:
        [(answer,)] = self.connection.execute(query, args).fetchall()
        assert isinstance(answer, dict)
        return answer

    def charge(self, wallet: Wallet, key: int, amount: int) -> None:
        expected = wallet.post(f"call:{key}", "charge", -amount, -wallet.debt_limit)
        query = "select wallet.deduct_call_credits(%s, %s, null, 1, 0, %s)"
        self.agree(self.call(query, wallet.org_id, str(key), amount), expected)

    def topup(self, wallet: Wallet, key: int, amount: int) -> None:
        expected = wallet.post(f"topup:pi_{key}", "topup", amount, None)
        query = "select wallet.add_wallet_credits(%s, %s, 'topup', %s)"
        self.agree(self.call(query, wallet.org_id, amount, f"pi_{key}"), expected)

    def buy(self, wallet: Wallet, key: int, amount: int) -> None:
        expected = wallet.post(f"did:{key}", "asset", -amount, 0)
        query = "select wallet.check_balance_and_deduct_asset_cost(%s, %s, 'did', 'a number', %s)"
        self.agree(self.call(query, wallet.org_id, amount, f"did:{key}"), expected)

    def adjust(self, wallet: Wallet, key: int, amount: int) -> None:
        # Odd keys take, even ones give.
        change = -amount if key % 2 else amount
        expected = wallet.post(f"adjust:{key}", "adjustment", change, -wallet.debt_limit)
        direction = "debit" if change < 0 else "credit"
        query = "select wallet.adjust_wallet(%s, %s, %s, 'a reason', 'a person', %s)"
        answer = self.call(query, wallet.org_id, amount, direction, f"adjust:{key}")
        self.agree(answer, expected)

    def limit(self, wallet: Wallet, key: int, amount: int) -> None:
        wallet.debt_limit = key + amount
        query = "select wallet.set_debt_limit(%s, %s, 'a person')"
        answer = self.call(query, wallet.org_id, wallet.debt_limit)
        assert answer["remaining_debt_capacity"] == max(
            0, wallet.debt_limit + min(0, wallet.balance)
        )

    def pay(self, wallet: Wallet, key: int, amount: int) -> None:
        """Stripe's two events of one payment; a key always means the same amount."""
        cents = key + 1
        if amount % 2:
            event = events.event(
                "checkout.session.completed",
                events.checkout_session(
                    wallet.org_id,
                    cents,
                    session_id=f"cs_{wallet.org_id}_{key}",
                    payment_intent_id=f"pi_paid_{key}",
                ),
            )
        else:
            event = events.payment_intent_event(
                events.payment_intent(wallet.org_id, cents, payment_intent_id=f"pi_paid_{key}")
            )
        expected = wallet.post(f"topup:pi_paid_{key}", "topup", cents, None)
        answer = self.call("select wallet.process_stripe_event(%s)", Jsonb(event))
        assert answer["outcome"] == "processed"
        self.agree(answer, expected)

    @staticmethod
    def agree(answer: dict[str, Any], expected: dict[str, Any]) -> None:
        assert {name: answer.get(name) for name in expected} == expected

    def check(self) -> None:
        for wallet in self.wallets:
            summary = self.call("select wallet.get_wallet_summary(%s)", wallet.org_id)
            assert summary["balance_pence"] == wallet.balance
            page = self.call("select wallet.list_transactions(%s, 500)", wallet.org_id)
            posted = [entry["balance_after_pence"] for entry in reversed(page["transactions"])]
            assert posted == [after for *_, after in wallet.entries.values()]
        problems = self.connection.execute("select * from wallet.verify_ledger()").fetchall()
        assert problems == []


OPERATIONS = [
    Session.charge,
    Session.topup,
    Session.buy,
    Session.adjust,
    Session.limit,
    Session.pay,
]


def test_random_operations_do_what_the_model_says(connect: Connect) -> None:
    connection = connect()

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(
        st.lists(
            st.tuples(st.sampled_from(OPERATIONS), st.integers(0, WALLETS - 1), KEYS, AMOUNTS),
            min_size=5,
            max_size=40,
        )
    )
    def play(steps: list[Any]) -> None:
        session = Session(connection)
        for operation, wallet, key, amount in steps:
            operation(session, session.wallets[wallet], key, amount)
        session.check()

    play()
