"""A batch of charges does what the same charges do one by one, in every particular."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]
Answer = dict[str, Any]

WALLETS = 3
# Few and small, so that calls are told again, limits are met, and holds are in the way.
CALLS = 5
AMOUNTS = 6

PREPARE: LiteralString = """
    insert into wallet.prices (service, unit, unit_price, currency, effective_from)
    values ('call', 'minute', 1, 'gbp', '-infinity');
    select wallet.configure_freeze('operator', true, true, 'a person');
"""
DEDUCT: LiteralString = """
    select wallet.deduct_call_credits(
        %(org_id)s, %(call_id)s, %(vapi_call_id)s, %(provider_cost_pence)s, %(markup_percent)s,
        %(client_charged_pence)s, %(cost_breakdown)s, %(description)s
    )
"""

# What happened to a wallet before: an operation, a call and a number.
HISTORY: dict[str, LiteralString] = {
    "reserve": """
        select wallet.reserve_call_credits(%(org_id)s, %(call)s, null, %(number)s, true)
    """,
    "lapse": """
        update wallet.credit_reservations set expires_at = clock_timestamp() - interval '1 hour'
         where org_id = %(org_id)s and call_id = %(call)s and status = 'open'
    """,
    "commit": "select wallet.commit_reserved_credits(%(call)s, 60 * %(number)s, %(org_id)s)",
    "bill": "select wallet.bill_call(%(org_id)s, %(call)s, 60 * (%(number)s - 1))",
    "bill by vapi": """
        select wallet.bill_call(%(org_id)s, 'billed ' || %(call)s, 60 * %(number)s, 'vapi')
    """,
    "bill much": "select wallet.bill_call(%(org_id)s, 'long ' || %(call)s, 180 * %(number)s)",
    "charge": "select wallet.deduct_call_credits(%(org_id)s, %(call)s, null, 0, 0, %(number)s)",
    "top up": """
        select wallet.add_wallet_credits(
            %(org_id)s, %(number)s, 'topup', p_idempotency_key => 'topup ' || %(call)s)
    """,
    "limit": "select wallet.set_debt_limit(%(org_id)s, 2 * %(number)s, 'a person')",
    "freeze": "select wallet.freeze_wallet(%(org_id)s, 'under review', 'a person')",
    "unfreeze": "select wallet.unfreeze_wallet(%(org_id)s, 'all is well', 'a person')",
    "recharge": """
        select wallet.attach_stripe_customer(%(org_id)s, 'cus_' || %(org_id)s),
               wallet.keep_payment_method(%(org_id)s, 'pm_' || %(org_id)s),
               wallet.set_auto_recharge(%(org_id)s, true, 'a person', 4, 5000)
    """,
}

# Whatever a batch may change; what is random or a time differs.
STATE: dict[str, LiteralString] = {
    "organization": """
        select to_jsonb(o) from wallet.organizations as o where id = %s
    """,
    "entries": """
        select to_jsonb(t) from wallet.credit_transactions as t
         where org_id = %s order by entry_number
    """,
    "reservations": """
        select to_jsonb(r) from wallet.credit_reservations as r where org_id = %s order by call_id
    """,
    "calls": "select to_jsonb(c) from wallet.calls as c where org_id = %s order by call_id",
    "messages": """
        select jsonb_build_object('topic', topic, 'payload', payload - 'freeze_id')
          from wallet.outbox_messages where org_id = %s order by topic, payload ->> 'message'
    """,
    "recharges": """
        select jsonb_build_object('state', state, 'amount_pence', amount_pence)
          from wallet.recharge_attempts where org_id = %s
    """,
}
RANDOM = {
    "id",
    "org_id",
    "entry_hash",
    "last_entry_hash",
    "last_entry_at",
    "stripe_customer_id",
    "stripe_default_pm_id",
}


def differs(name: str) -> bool:
    return name in RANDOM or name.endswith("_at")


histories = st.lists(
    st.tuples(
        st.sampled_from(sorted(HISTORY)),
        st.integers(0, WALLETS - 1),
        st.integers(0, CALLS - 1),
        st.integers(1, AMOUNTS),
    ),
    max_size=15,
)

# A charge of a wallet by its number; the last one doesn't exist.
charges = st.fixed_dictionaries(
    {
        "wallet": st.integers(0, WALLETS),
        "call_id": st.integers(0, CALLS - 1).map(str),
        "client_charged_pence": st.sampled_from([*range(1, AMOUNTS), 9]),
        "provider_cost_pence": st.integers(0, AMOUNTS),
    },
    optional={
        "vapi_call_id": st.sampled_from([None, "vapi"]),
        "markup_percent": st.sampled_from([None, -10, 0, 150]),
        "cost_breakdown": st.sampled_from([None, {"llm": 1}, [1, "two"]]),
        "description": st.sampled_from([None, "", "a call"]),
    },
)
# What deduct_call_credits raises at, and so is refused in a batch: the same field of it.
misuses = st.sampled_from(
    [
        {"call_id": ""},
        {"call_id": " \t\n"},
        {"call_id": "x" * 256},
        {"call_id": None},
        {"client_charged_pence": 0},
        {"client_charged_pence": -1},
        {"client_charged_pence": None},
        {"provider_cost_pence": -1},
        {"provider_cost_pence": None},
        {"org_id": None},
    ]
)
# What deduct_call_credits can't even be called with.
rubbish = st.sampled_from(
    [
        {"org_id": "acme"},
        {"client_charged_pence": "much"},
        {"client_charged_pence": 1.5},
        {"client_charged_pence": 1e300},
        {"provider_cost_pence": {}},
        {"provider_cost_pence": True},
        {"markup_percent": "high"},
        {"markup_percent": 1e10},
        {"vapi_call_id": []},
        {"description": {}},
    ]
)
nonsense = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab_1", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["org_id", "p_org_id", "call_id"]), inner, max_size=2)
    ),
    max_leaves=4,
)
items = st.one_of(
    *[st.tuples(st.just("charge"), charges, st.just({}))] * 6,
    st.tuples(st.just("misuse"), charges, misuses),
    st.tuples(st.just("rubbish"), charges, rubbish),
    st.tuples(st.just("nonsense"), nonsense, st.just({})),
)


class Wallets:
    """A set of wallets; two with the same history are the same but for their ids."""

    def __init__(self, connection: Connection, history: list[Any]) -> None:
        self.connection = connection
        self.org_ids = [uuid4() for _ in range(WALLETS + 1)]
        for org_id in self.org_ids[:WALLETS]:
            connection.execute("select wallet.create_wallet(%s)", [org_id])
            connection.execute(
                """
                update wallet.organizations
                   set debt_limit_pence = 3, wallet_low_balance_pence = 3 where id = %s
                """,
                [org_id],
            )
            connection.execute(
                "select wallet.add_wallet_credits(%s, 5, 'bonus', p_idempotency_key => 'opening')",
                [org_id],
            )
        for operation, wallet, call, number in history:
            arguments = {"org_id": self.org_ids[wallet], "call": str(call), "number": number}
            connection.execute(HISTORY[operation], arguments)

    def arguments(self, charge: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(charge)
        org_id = self.org_ids[arguments.pop("wallet")]
        return {**arguments, "org_id": str(org_id), **change}

    def batch(self, tellings: list[Any], *, with_prefix: bool) -> list[Answer]:
        batch = []
        for kind, charge, change in tellings:
            item = charge
            if kind != "nonsense":
                item = self.arguments(charge, change)
                if with_prefix:
                    item = {f"p_{name}": value for name, value in item.items()}
            batch.append(item)
        query = "select wallet.deduct_call_credits_batch(%s)"
        [(answer,)] = self.connection.execute(query, [Jsonb(batch)]).fetchall()

        results: list[Answer] = answer["results"]
        assert answer["success"] is True
        assert [result.pop("index") for result in results] == list(range(len(batch)))
        outcomes = [outcome(result) for result in results]
        assert answer["charged"] == outcomes.count("charged")
        assert answer["duplicates"] == outcomes.count("duplicate")
        assert answer["charged"] + answer["duplicates"] + answer["refused"] == len(batch)
        return [self.comparable(result) for result in results]

    def one_by_one(self, tellings: list[Any]) -> list[Answer]:
        return [self.comparable(self.tell(*telling)) for telling in tellings]

    def tell(self, kind: str, charge: Any, change: dict[str, Any]) -> Answer:
        if kind in ("rubbish", "nonsense"):
            [field] = change or [field_of_nonsense(charge)]
            return {"success": False, "error": "invalid_charge", "field": field}
        optional = ("vapi_call_id", "markup_percent", "cost_breakdown", "description")
        arguments = dict.fromkeys(optional) | self.arguments(charge, change)
        if arguments["cost_breakdown"] is not None:
            arguments["cost_breakdown"] = Jsonb(arguments["cost_breakdown"])
        try:
            [(answer,)] = self.connection.execute(DEDUCT, arguments).fetchall()
        except psycopg.Error as exc:
            if kind != "misuse":
                raise
            return {"success": False, "error": "invalid_charge", "field": misused_field(exc)}
        assert kind == "charge"
        assert isinstance(answer, dict)
        return answer

    def comparable(self, answer: Answer) -> Answer:
        """With entries named by their wallet and number, wallets by theirs."""
        told = dict(answer)
        if told.get("error") == "invalid_charge":
            assert told.pop("message", "a message")
            assert told.pop("expected", "something else")
            return told
        if told.get("transaction_id") is not None:
            query: LiteralString = """
                select org_id, entry_number from wallet.credit_transactions
                 where id = %s and org_id = any(%s)
            """
            arguments = [told["transaction_id"], self.org_ids]
            [(org_id, number)] = self.connection.execute(query, arguments).fetchall()
            told["transaction_id"] = (self.org_ids.index(org_id), number)
        if "org_id" in told:
            place = self.org_ids.index(UUID(told["org_id"]))
            if "message" in told:
                told["message"] = told["message"].replace(told["org_id"], "an organization")
            told["org_id"] = place
        return told

    def state(self) -> list[dict[str, Any]]:
        # A lapsed reservation ends when its money is wanted, or when somebody comes to look.
        self.connection.execute("select wallet.cleanup_expired_reservations()")
        return [
            {
                name: [
                    {key: value for key, value in row.items() if not self._differs(key, value)}
                    for (row,) in self.connection.execute(query, [org_id])
                ]
                for name, query in STATE.items()
            }
            for org_id in self.org_ids
        ]

    @staticmethod
    def _differs(key: str, value: Any) -> bool:
        return differs(key) or (key == "transaction_id" and value is not None)


def misused_field(error: psycopg.Error) -> str:
    assert (error.sqlstate or "").startswith("WL")
    field = json.loads(error.diag.message_detail or "")["field"]
    return str(field).removeprefix("p_")


def field_of_nonsense(charge: Any) -> str:
    """It never names an organization, where it is an object at all."""
    return "org_id" if isinstance(charge, dict) else "item"


def outcome(answer: Answer) -> str:
    if not answer["success"]:
        return str(answer["error"])
    return "duplicate" if answer["duplicate"] else "charged"


def test_a_batch_does_what_its_charges_do_one_by_one(connect: Connect) -> None:
    connection = connect()
    connection.execute(PREPARE)
    seen: set[str] = set()

    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to find a smaller example would take minutes
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        history=histories,
        tellings=st.lists(items, min_size=3, max_size=25),
        with_prefix=st.booleans(),
        twice=st.booleans(),
    )
    def compare(history: list[Any], tellings: list[Any], with_prefix: bool, twice: bool) -> None:
        batched, single = Wallets(connection, history), Wallets(connection, history)
        before = batched.state()
        assert before == single.state()

        for _ in range(1 + twice):
            answers = batched.batch(tellings, with_prefix=with_prefix)
            assert answers == single.one_by_one(tellings)
            assert batched.state() == single.state()

            for answer in answers:
                seen.add(outcome(answer))
                event(outcome(answer))

    compare()
    assert seen == {
        "charged",
        "duplicate",
        "idempotency_conflict",
        "debt_limit_exceeded",
        "wallet_frozen",
        "organization_not_found",
        "invalid_charge",
    }


def test_a_batch_is_all_or_nothing_where_it_can_not_be_read(connect: Connect) -> None:
    connection = connect(row_factory=dict_row)
    org_id = uuid4()
    connection.execute("select wallet.create_wallet(%s)", [org_id])
    charge = {
        "org_id": str(org_id),
        "call_id": "call",
        "provider_cost_pence": 0,
        "client_charged_pence": 1,
    }

    for batch in ({"charges": [charge]}, "a text", None, [charge] * 10_001):
        with pytest.raises(psycopg.Error) as raised:
            connection.execute("select wallet.deduct_call_credits_batch(%s)", [Jsonb(batch)])
        assert misused_field(raised.value) == "charges"

    query = "select wallet_balance_pence from wallet.organizations where id = %s"
    assert connection.execute(query, [org_id]).fetchall() == [{"wallet_balance_pence": 0}]
