"""Sixteen sessions that reserve, spend, bill and report calls of three wallets, all at once.

What comes out depends on who came first, so it is held against what must be true in any order. A
few seeds run here; SPENDING_SEEDS=100 runs as many as it says.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from .spending_model import call_object, end_of_call_report, price_of_call

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]

SEEDS = range(int(os.environ.get("SPENDING_SEEDS", "6")))
SESSIONS = 16
STEPS = 40  # of each session
ORGANIZATIONS = 3
CALLS = 24  # of each organization, under the same ids everywhere
NUMBERS = 6
DEBT_LIMIT = 300

ASSETS = ["did", "license", "phone_number", "phone_provisioning"]

# What no session may see, not even for a moment. A deferred trigger looks at what is about to be
# committed, under the lock that the transaction still has on the organization.
WITNESSES = """
create schema witness;
grant usage on schema witness to service_role;

create function witness.held(p_org_id uuid) returns bigint language sql as $$
    select coalesce(sum(reserved_pence), 0)::bigint
      from wallet.credit_reservations
     where org_id = p_org_id and status = 'open' and expires_at > clock_timestamp()
$$;

create function witness.check_hold() returns trigger language plpgsql security definer as $$
declare
    v_left bigint;
begin
    select wallet_balance_pence - witness.held(id) - owed_pence into v_left
      from wallet.organizations where id = new.org_id;
    if v_left < 0 then
        raise exception 'call % holds money that is not there: % left', new.call_id, v_left;
    end if;
    return null;
end;
$$;

create constraint trigger check_new_hold after insert on wallet.credit_reservations
deferrable initially deferred for each row
execute function witness.check_hold();

create constraint trigger check_extended_hold after update on wallet.credit_reservations
deferrable initially deferred for each row
when (new.status = 'open' and new.reserved_pence > old.reserved_pence)
execute function witness.check_hold();

create function witness.check_spend() returns trigger language plpgsql security definer as $$
declare
    v_left bigint;
begin
    select new.balance_after_pence - witness.held(id)
           + case when new.type in ('did', 'license', 'phone_number', 'phone_provisioning')
                  then 0 else debt_limit_pence end
      into v_left
      from wallet.organizations where id = new.org_id;
    if v_left < 0 then
        raise exception '% spends what it may not: % left', new.idempotency_key, v_left;
    end if;
    return null;
end;
$$;

create constraint trigger check_spend after insert on wallet.credit_transactions
deferrable initially deferred for each row
when (new.direction = 'debit')
execute function witness.check_spend();

-- The clock can't be set, so time passes for one reservation at a time.
create function witness.lapse(p_org_id uuid, p_call_id text) returns jsonb
language sql security definer as $$
    with lapsed as (
        update wallet.credit_reservations
           set expires_at = clock_timestamp() - interval '1 second'
         where org_id = p_org_id and call_id = p_call_id and status = 'open'
        returning 1
    )
    select jsonb_build_object('success', true, 'lapsed', count(*)) from lapsed
$$;
"""

ENTRY = {"duplicate", "transaction_id", "balance_before", "balance_after"}
BILLED = ENTRY | {
    "call_id",
    "duration_seconds",
    "actual_cost_pence",
    "charged_pence",
    "owed_pence",
    "cost_breakdown",
    "released_pence",
}
RESERVED = {
    "duplicate",
    "reservation_id",
    "requested_pence",
    "reserved_pence",
    "effective_balance_pence",
    "active_reservations_pence",
    "expires_at",
}
BROKE = {"debt_limit_exceeded"}
POOR = {"insufficient_balance"}
CONFLICT = {"idempotency_conflict"}
NO_NUMBER = {"phone_number_not_found", "number_not_provisioning"}

# What each request answers with when it succeeds, and with which errors it may be refused.
ANSWERS: dict[str, tuple[set[str], set[str]]] = {
    "reserve": (RESERVED, POOR | CONFLICT | {"reservation_closed", "call_already_billed"}),
    "extend": (RESERVED, POOR | {"no_active_reservation"}),
    "release": (
        {"duplicate", "released_pence", "reservation_id", "status"},
        {"no_active_reservation"},
    ),
    "commit": (
        BILLED | {"reserved_pence", "balance_before_pence", "balance_after_pence"},
        CONFLICT | {"no_active_reservation"},
    ),
    "cleanup": ({"expired", "released_pence"}, set()),
    "lapse": ({"lapsed"}, set()),
    "bill": (BILLED, CONFLICT),
    "record": (BILLED | {"outcome"}, set()),
    "report a stranger's call": (set(), {"organization_not_found"}),
    "replay unbilled": ({"billed", "failed"}, set()),
    "reconcile": (
        {"provider_calls", "known", "missing", "recovered", "recovered_pence", "failed"},
        set(),
    ),
    "deduct": (ENTRY, BROKE | CONFLICT),
    "deduct a batch": ({"results", "charged", "duplicates", "refused"}, set()),
    "charge usage": (ENTRY | {"amount_pence", "cost_breakdown"}, BROKE | CONFLICT),
    "charge sms": (ENTRY | {"message_id", "segments", "price_pence"}, BROKE | CONFLICT),
    "sms status": ({"outcome"}, set()),
    "buy": (ENTRY, POOR | CONFLICT),
    "adjust": (ENTRY, BROKE | CONFLICT),
    "top up": (ENTRY | {"amount_added"}, set()),
    "provision": (
        ENTRY | {"phone_number_id", "number", "status", "price_pence"},
        POOR | CONFLICT | {"number_in_use"},
    ),
    "complete number": (
        {"status"},
        {"phone_number_not_found", "number_not_provisioning"} | CONFLICT,
    ),
    "fail number": ({"status"}, {"phone_number_not_found", "number_not_provisioning"}),
    "check gate": ({"allowed", "required_pence", "available_pence"}, set()),
}

# Nothing was written for these, so that they have no entry to name.
FREE_KEYS = {"transaction_id", "balance_before", "balance_after", "balance_before_pence"}


@dataclass(frozen=True)
class Request:
    name: str
    query: LiteralString
    args: tuple[Any, ...]

    def send(self, session: Connection) -> dict[str, Any]:
        [(answer,)] = session.execute(self.query, self.args).fetchall()
        assert isinstance(answer, dict)
        return answer


@dataclass(frozen=True)
class Exchange:
    request: Request
    answer: dict[str, Any]


@pytest.fixture
def sessions(connect: Connect) -> list[Connection]:
    """Of the role that backends have; the witnesses watch them."""
    connect().execute(WITNESSES)
    return [connect(options="-c role=service_role") for _ in range(SESSIONS)]


def test_no_order_of_events_breaks_a_limit_or_leaks_a_hold(
    connect: Connect, sessions: list[Connection]
) -> None:
    judge = connect()
    outcomes: Counter[str] = Counter()
    for seed in SEEDS:
        try:
            outcomes += play(judge, sessions, seed)
        except AssertionError as exc:
            exc.add_note(f"with seed {seed}")
            raise

    # A refusal of everything would break nothing, either.
    unseen = {name for name in ANSWERS if not outcomes[f"{name}: done"]}
    assert unseen <= {"report a stranger's call"}, outcomes


def play(judge: Connection, sessions: list[Connection], seed: int) -> Counter[str]:
    story = Story(seed)
    for org_id in story.organizations:
        query = "select wallet.create_wallet(%s, p_debt_limit_pence => %s)"
        judge.execute(query, [org_id, DEBT_LIMIT])
        Request("top up", TOPUP, (org_id, 3000, "opening")).send(judge)

    with ThreadPoolExecutor(SESSIONS) as pool:
        shares = pool.map(send_all, sessions, [story.requests(n) for n in range(SESSIONS)])
        exchanges = [exchange for share in shares for exchange in share]

    for exchange in exchanges:
        check_answer(exchange)
    check_once(exchanges)
    check_wallets(judge, story)
    close_reservations(judge, story)
    check_wallets(judge, story)
    pay_debts(judge, story)
    check_replays(judge, story, exchanges)
    check_wallets(judge, story)
    return Counter(outcome(exchange) for exchange in exchanges)


def send_all(session: Connection, requests: Sequence[Request]) -> list[Exchange]:
    exchanges = []
    for request in requests:
        try:
            exchanges.append(Exchange(request, request.send(session)))
        except psycopg.Error as exc:
            raise AssertionError(f"{request} raised {exc.sqlstate}: {exc}") from exc
    return exchanges


TOPUP: LiteralString = "select wallet.add_wallet_credits(%s, %s, 'topup', %s)"


class Story:
    """What a seed makes the sessions ask for: ids that few share many, so that they meet."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.organizations = [UUID(int=(seed + 1 << 32) + n) for n in range(ORGANIZATIONS)]
        self.placed_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)

    def requests(self, session: int) -> list[Request]:
        random = Random(f"{self.seed} {session}")  # noqa: S311
        return [self.request(random, step / STEPS) for step in range(STEPS)]

    def request(self, random: Random, progress: float) -> Request:
        """At first most calls begin, at last most of them end."""
        weights = [
            early + (late - early) * progress for early, late in (TELLERS[t] for t in TELLERS)
        ]
        [teller] = random.choices(list(TELLERS), weights)
        return teller(self, random)

    def organization(self, random: Random) -> UUID:
        return random.choice(self.organizations)

    def call_id(self, random: Random) -> str:
        return f"call-{random.randrange(CALLS)}"

    def seconds(self, call_id: str) -> int:
        """A call lasts as long as it lasts, whoever tells of it; one of them never began."""
        return int(call_id.removeprefix("call-")) * 17

    # Calls

    def reserve(self, random: Random) -> Request:
        org_id, call_id = self.organization(random), self.call_id(random)
        query: LiteralString = "select wallet.reserve_call_credits(%s, %s, %s, %s, %s)"
        minutes = 1 + self.seconds(call_id) // 60 + random.choice([0, 0, 0, 1])
        vapi_call_id = self.vapi_call_id(org_id, call_id)
        args = (org_id, call_id, vapi_call_id, minutes, random.random() < 0.3)
        return Request("reserve", query, args)

    def extend(self, random: Random) -> Request:
        query: LiteralString = "select wallet.extend_reservation(%s, %s, %s, %s)"
        args = (self.call_id(random), random.choice([3, 6, 9]), self.organization(random))
        return Request("extend", query, (*args, random.random() < 0.3))

    def release(self, random: Random) -> Request:
        query: LiteralString = "select wallet.release_reservation(%s, %s)"
        return Request("release", query, (self.call_id(random), self.organization(random)))

    def commit(self, random: Random) -> Request:
        call_id = self.call_id(random)
        query: LiteralString = "select wallet.commit_reserved_credits(%s, %s, %s)"
        return Request("commit", query, (call_id, self.seconds(call_id), self.organization(random)))

    def lapse(self, random: Random) -> Request:
        query: LiteralString = "select witness.lapse(%s, %s)"
        return Request("lapse", query, (self.organization(random), self.call_id(random)))

    def cleanup(self, random: Random) -> Request:
        query: LiteralString = "select wallet.cleanup_expired_reservations(%s)"
        return Request("cleanup", query, (random.choice([1, 3, 1000]),))

    def bill(self, random: Random) -> Request:
        org_id, call_id = self.organization(random), self.call_id(random)
        query: LiteralString = "select wallet.bill_call(%s, %s, %s, %s)"
        vapi_call_id = self.vapi_call_id(org_id, call_id)
        return Request("bill", query, (org_id, call_id, self.seconds(call_id), vapi_call_id))

    def record(self, random: Random) -> Request:
        report = end_of_call_report(
            self.provider_call(self.organization(random), self.call_id(random))
        )
        return Request("record", RECORD, (Jsonb(report),))

    def record_strangers(self, random: Random) -> Request:
        """Of an organization that nobody knows."""
        stranger = UUID(int=(self.seed + 1 << 32) + ORGANIZATIONS + random.randrange(2))
        report = end_of_call_report(self.provider_call(stranger, self.call_id(random)))
        return Request("report a stranger's call", RECORD, (Jsonb(report),))

    def replay_unbilled(self, random: Random) -> Request:
        return Request("replay unbilled", "select wallet.replay_unbilled_calls()", ())

    def reconcile(self, random: Random) -> Request:
        calls = [
            self.provider_call(org_id, f"call-{number}")
            for org_id in self.organizations
            for number in random.sample(range(CALLS), 4)
        ]
        random.shuffle(calls)
        hours = random.choice([1, 2])
        query: LiteralString = "select wallet.reconcile_calls(%s, %s, %s)"
        start, end = self.placed_at - timedelta(hours=hours), self.placed_at + timedelta(hours=1)
        return Request("reconcile", query, (start, end, Jsonb(calls)))

    def check_gate(self, random: Random) -> Request:
        query: LiteralString = "select wallet.check_billing_gate(%s, %s, %s)"
        service = random.choice(["call", "sms", "knowledge_base_query", "phone_provisioning"])
        return Request("check gate", query, (self.organization(random), service, 1))

    # Everything else that spends

    def deduct(self, random: Random) -> Request:
        org_id = self.organization(random)
        query: LiteralString = "select wallet.deduct_call_credits(%s, %s, %s, 1, 0, %s)"
        return Request("deduct", query, (org_id, *self.deduction(random, org_id)))

    def deduct_batch(self, random: Random) -> Request:
        charges = []
        for _ in range(random.randrange(2, 12)):
            org_id = self.organization(random)
            call_id, vapi_call_id, amount = self.deduction(random, org_id)
            charges.append(
                {
                    "p_org_id": str(org_id),
                    "p_call_id": call_id,
                    "p_vapi_call_id": vapi_call_id,
                    "p_provider_cost_pence": 1,
                    "p_markup_percent": 0,
                    "p_client_charged_pence": amount,
                }
            )
        query: LiteralString = "select wallet.deduct_call_credits_batch(%s)"
        return Request("deduct a batch", query, (Jsonb(charges),))

    def deduction(self, random: Random, org_id: UUID) -> tuple[str, str | None, int]:
        """A call that others tell of, too, at its price; or one of its own, at almost one price."""
        if random.random() < 0.2:
            call_id = f"call-{random.randrange(1, CALLS)}"
            vapi_call_id = random.choice([None, self.vapi_call_id(org_id, call_id)])
            return call_id, vapi_call_id, price_of_call(self.seconds(call_id))
        number = random.randrange(40)
        return f"priced-{number}", None, 5 + number % 7 * 20 + (random.random() < 0.05)

    def charge_usage(self, random: Random) -> Request:
        number = random.randrange(20)
        query: LiteralString = """
            select wallet.charge_usage(%s, 'knowledge_base_query', %s, %s)
        """
        args = (self.organization(random), 1 + number % 9 * 10, f"usage-{number}")
        return Request("charge usage", query, args)

    def charge_sms(self, random: Random) -> Request:
        number = random.randrange(20)
        org_id = self.organization(random)
        query: LiteralString = "select wallet.charge_sms(%s, %s, %s, %s)"
        args = (org_id, f"message-{number}", 1 + number % 4, self.sid(org_id, number))
        return Request("charge sms", query, args)

    def sms_status(self, random: Random) -> Request:
        callback = {
            "MessageSid": self.sid(self.organization(random), random.randrange(20)),
            "MessageStatus": random.choice(["sent", "delivered", "undelivered", "failed"]),
        }
        return Request("sms status", "select wallet.record_sms_status(%s)", (Jsonb(callback),))

    def buy(self, random: Random) -> Request:
        number = random.randrange(20)
        query: LiteralString = """
            select wallet.check_balance_and_deduct_asset_cost(%s, %s, %s, 'an asset', %s)
        """
        asset = ASSETS[number % len(ASSETS)]
        args = (self.organization(random), 20 + number * 10, asset, f"asset-{number}")
        return Request("buy", query, args)

    def adjust(self, random: Random) -> Request:
        number = random.randrange(20)
        direction = "debit" if number % 2 else "credit"
        query: LiteralString = "select wallet.adjust_wallet(%s, %s, %s, 'a reason', 'a test', %s)"
        args = (self.organization(random), 10 + number * 5, direction, f"adjustment-{number}")
        return Request("adjust", query, args)

    def top_up(self, random: Random) -> Request:
        org_id, number = self.organization(random), random.randrange(8)
        return Request("top up", TOPUP, (org_id, 50 + number * 50, f"pi_{org_id.hex}_{number}"))

    def provision(self, random: Random) -> Request:
        """The same few numbers for everybody."""
        number = random.randrange(NUMBERS)
        query: LiteralString = "select wallet.provision_phone_number(%s, %s, %s)"
        args = (self.organization(random), self.number(number), f"number-{number}")
        return Request("provision", query, args)

    def complete_number(self, random: Random) -> Request:
        number = random.randrange(NUMBERS)
        org_id = self.organization(random)
        query: LiteralString = "select wallet.complete_phone_provisioning(%s, %s, %s)"
        return Request("complete number", query, (org_id, f"number-{number}", f"PN{number}"))

    def fail_number(self, random: Random) -> Request:
        query: LiteralString = "select wallet.fail_phone_provisioning(%s, %s, 'sold out')"
        key = f"number-{random.randrange(NUMBERS)}"
        return Request("fail number", query, (self.organization(random), key))

    # Names

    def vapi_call_id(self, org_id: UUID, call_id: str) -> str:
        return f"vapi-{org_id.int:x}-{call_id}"

    def sid(self, org_id: UUID, number: int) -> str:
        return f"SM{org_id.int:030x}{number:02}"

    def number(self, number: int) -> str:
        return f"+44{self.seed + 1:08}{number}"

    def provider_call(self, org_id: UUID, call_id: str) -> dict[str, Any]:
        return call_object(
            self.vapi_call_id(org_id, call_id),
            self.seconds(call_id),
            placed_at=self.placed_at,
            metadata={"org_id": str(org_id), "call_id": call_id},
        )


RECORD: LiteralString = "select wallet.record_call(%s)"

# How often each is asked for against the others, in the beginning and in the end.
TELLERS: dict[Callable[[Story, Random], Request], tuple[int, int]] = {
    Story.reserve: (20, 2),
    Story.extend: (8, 2),
    Story.release: (1, 5),
    Story.commit: (2, 12),
    Story.lapse: (2, 4),
    Story.cleanup: (2, 3),
    Story.bill: (1, 4),
    Story.record: (1, 6),
    Story.record_strangers: (1, 1),
    Story.replay_unbilled: (1, 1),
    Story.reconcile: (0, 2),
    Story.check_gate: (1, 1),
    Story.deduct: (3, 3),
    Story.deduct_batch: (3, 3),
    Story.charge_usage: (3, 3),
    Story.charge_sms: (3, 3),
    Story.sms_status: (3, 3),
    Story.buy: (3, 3),
    Story.adjust: (2, 2),
    Story.top_up: (4, 4),
    Story.provision: (5, 3),
    Story.complete_number: (2, 4),
    Story.fail_number: (1, 3),
}


def outcome(exchange: Exchange) -> str:
    answer = exchange.answer
    if not answer["success"]:
        return f"{exchange.request.name}: {answer['error']}"
    return f"{exchange.request.name}: {'duplicate' if answer.get('duplicate') else 'done'}"


# What every answer has to be, whatever came before it


def check_answer(exchange: Exchange) -> None:
    name, answer = exchange.request.name, exchange.answer
    keys, errors = ANSWERS[name]
    if not answer["success"]:
        assert answer["error"] in errors, exchange
        assert answer["message"], exchange
        return
    assert keys <= answer.keys(), exchange
    for result in results([exchange]):
        check_entry(result, exchange)
    if name == "deduct a batch":
        check_batch(exchange)
    if name == "reconcile":
        assert answer["failed"] == [], exchange
        assert answer["recovered"] <= answer["missing"] <= answer["provider_calls"], exchange


def check_entry(answer: dict[str, Any], exchange: Exchange) -> None:
    if not answer["success"]:
        assert answer["error"], exchange
    elif answer.get("transaction_id") is not None:
        assert None not in (answer["balance_before"], answer["balance_after"]), exchange
    elif "transaction_id" in answer and "charged_pence" in answer:
        assert answer["charged_pence"] == 0, exchange


def check_batch(exchange: Exchange) -> None:
    charges, answer = exchange.request.args[0].obj, exchange.answer
    assert len(answer["results"]) == len(charges), exchange
    for number, (charge, result) in enumerate(zip(charges, answer["results"], strict=True)):
        assert result["index"] == number, exchange
        if result["success"]:
            amount = charge["p_client_charged_pence"]
            assert result["duplicate"] or result["client_charged_pence"] == amount, exchange
            assert result["duplicate"] or result["transaction_id"], exchange
        else:
            assert result["error"] in BROKE | CONFLICT, exchange
    fresh = [not result["duplicate"] for result in answer["results"] if result["success"]]
    assert answer["charged"] == fresh.count(True), exchange
    assert answer["duplicates"] == fresh.count(False), exchange
    assert answer["refused"] == len(charges) - len(fresh), exchange


def check_once(exchanges: list[Exchange]) -> None:
    """Of all who were told of an entry one made it, and all were told the same of it."""
    told = defaultdict(list)
    for result in results(exchanges):
        if result["success"] and result.get("transaction_id"):
            told[result["transaction_id"]].append(result)
    for answers in told.values():
        assert [answer["duplicate"] for answer in answers].count(False) <= 1, answers
        balances = {(answer["balance_before"], answer["balance_after"]) for answer in answers}
        assert len(balances) == 1, answers


def results(exchanges: list[Exchange]) -> list[dict[str, Any]]:
    """Every answer, those about the items of a batch one by one."""
    answers = [exchange.answer for exchange in exchanges]
    return [result for answer in answers for result in answer.get("results", [answer])]


def check_replays(judge: Connection, story: Story, exchanges: list[Exchange]) -> None:
    """What was done is done for good: asked for again, it is answered with the same entry."""
    before = everything(judge, story)
    for exchange in exchanges:
        if exchange.request.name in REPLAYED and exchange.answer["success"]:
            again = Exchange(exchange.request, exchange.request.send(judge))
            check_answer(again)
            for first, second in zip(results([exchange]), results([again]), strict=True):
                if first["success"]:
                    assert second.get("duplicate"), (exchange.request, first, second)
                    assert same_entry(first, second), (exchange.request, first, second)
    assert everything(judge, story) == before


# What was refused for want of money could be paid for by now, so batches are not among them.
REPLAYED = {
    "bill",
    "record",
    "deduct",
    "charge usage",
    "charge sms",
    "buy",
    "adjust",
    "top up",
    "provision",
}


def same_entry(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """What a call owed at first has been charged since, by an entry that it had not then."""
    if first["transaction_id"] is None:
        return not first.get("charged_pence")
    return all(first[name] == second[name] for name in ENTRY - {"duplicate"})


def everything(judge: Connection, story: Story) -> list[tuple[Any, ...]]:
    """All that is written about money; a row of a call also notes who told of it when."""
    query = """
        select o.id, wallet_balance_pence, reserved_pence, owed_pence, last_entry_hash,
               (select count(*) from wallet.calls where org_id = o.id),
               (select count(*) from wallet.phone_numbers where org_id = o.id),
               (select count(*) from wallet.sms_messages where org_id = o.id)
          from wallet.organizations as o where id = any(%s) order by id
    """
    return judge.execute(query, [story.organizations]).fetchall()


# What every wallet has to be, whoever came first


def check_wallets(judge: Connection, story: Story) -> None:
    for name, query in WALLET_RULES.items():
        broken = judge.execute(query, {"organizations": story.organizations}).fetchall()
        assert broken == [], f"{name}: {broken}"
    for org_id in story.organizations:
        assert judge.execute("select * from wallet.verify_ledger(%s)", [org_id]).fetchall() == []
    assert judge.execute("select * from wallet.validate_credits_consistency()").fetchall() == []

    query = "select duration_seconds, cost_pence from wallet.calls where org_id = any(%s)"
    for seconds, cost in judge.execute(query, [story.organizations]):
        assert cost == price_of_call(seconds)


# Each answers what breaks it.
WALLET_RULES: dict[str, LiteralString] = {
    "the debt limit": """
        select t.* from wallet.credit_transactions as t
         inner join wallet.organizations as o on o.id = t.org_id
         where o.id = any(%(organizations)s) and balance_after_pence < -debt_limit_pence
    """,
    "assets leave a wallet at 0 or more": """
        select * from wallet.credit_transactions
         where org_id = any(%(organizations)s) and balance_after_pence < 0
           and type in ('did', 'license', 'phone_number', 'phone_provisioning')
    """,
    "what is held is what open reservations hold": """
        select id, reserved_pence from wallet.organizations as o
         where id = any(%(organizations)s) and reserved_pence <> (
             select coalesce(sum(reserved_pence), 0) from wallet.credit_reservations
              where org_id = o.id and status = 'open'
         )
    """,
    "what is owed is what calls owe": """
        select id, owed_pence from wallet.organizations as o
         where id = any(%(organizations)s) and owed_pence <> (
             select coalesce(sum(owed_pence), 0) from wallet.calls where org_id = o.id
         )
    """,
    "a call is charged once: its entries and what it owes are its cost": """
        select c.org_id, c.call_id, c.cost_pence, c.owed_pence, e.charged, e.count
          from wallet.calls as c
          cross join lateral (
              select coalesce(sum(amount_pence), 0) as charged,
                     count(*) as count,
                     count(*) filter (where idempotency_key = 'call:' || c.call_id) as first
                from wallet.credit_transactions
               where org_id = c.org_id and call_id = c.call_id and type = 'call_deduction'
          ) as e
         where c.org_id = any(%(organizations)s) and (
             c.cost_pence <> e.charged + c.owed_pence
             or c.charged_pence <> e.charged
             or e.first <> sign(e.charged)
             or (c.collections = 0 and e.count > 1)
         )
    """,
    "no call is charged that is not recorded": """
        select * from wallet.credit_transactions as t
         where org_id = any(%(organizations)s) and type = 'call_deduction'
           and provider_cost_pence is distinct from 1 -- as deduct_call_credits is told here
           and not exists (
               select from wallet.calls where org_id = t.org_id and call_id = t.call_id
           )
    """,
    "one provider's call is one call": """
        select org_id, vapi_call_id from wallet.calls
         where org_id = any(%(organizations)s) and vapi_call_id is not null
         group by org_id, vapi_call_id having count(*) > 1
    """,
    "a committed reservation is its call": """
        select r.* from wallet.credit_reservations as r
          left join wallet.calls as c on c.org_id = r.org_id and c.call_id = r.call_id
         where r.org_id = any(%(organizations)s) and case r.status
             when 'committed' then r.actual_cost_pence is distinct from c.cost_pence
             when 'released' then false
             else c.call_id is not null
         end
    """,
    "a message that failed gave its charge back, once": """
        select m.* from wallet.sms_messages as m
          left join wallet.credit_transactions as t
            on t.org_id = m.org_id and t.idempotency_key = 'refund:sms:' || m.message_id
         where m.org_id = any(%(organizations)s)
           and case when m.status in ('failed', 'undelivered') then m.price_pence else 0 end
               <> coalesce(t.amount_pence, 0)
    """,
    "a number that failed gave its charge back, once": """
        select n.* from wallet.phone_numbers as n
          left join wallet.credit_transactions as t
            on t.org_id = n.org_id and t.idempotency_key = 'refund:phone:' || n.idempotency_key
         where n.org_id = any(%(organizations)s)
           and case when n.status = 'failed' then n.price_pence else 0 end
               <> coalesce(t.amount_pence, 0)
    """,
    "a number is used once": """
        select number from wallet.phone_numbers where status in ('provisioning', 'active')
         group by number having count(*) > 1
    """,
}


# How it ends


def close_reservations(judge: Connection, story: Story) -> None:
    """One after the other is committed, given up or forgotten: nothing stays held."""
    query = """
        select org_id, call_id from wallet.credit_reservations
         where org_id = any(%s) and status = 'open' and expires_at > clock_timestamp()
         order by org_id, call_id
    """
    open_ones = judge.execute(query, [story.organizations]).fetchall()
    for number, (org_id, call_id) in enumerate(open_ones):
        if number % 3 == 0:
            query = "select wallet.commit_reserved_credits(%s, %s, %s)"
            answer(judge, query, call_id, story.seconds(call_id), org_id)
        elif number % 3 == 1:
            answer(judge, "select wallet.release_reservation(%s, %s)", call_id, org_id)
        else:
            answer(judge, "select witness.lapse(%s, %s)", org_id, call_id)
    answer(judge, "select wallet.cleanup_expired_reservations()")

    query = "select sum(reserved_pence) from wallet.organizations where id = any(%s)"
    assert judge.execute(query, [story.organizations]).fetchall() == [(0,)]


def pay_debts(judge: Connection, story: Story) -> None:
    for org_id in story.organizations:
        answer(judge, TOPUP, org_id, 100_000, f"pi_{org_id.hex}_last")

    query = """
        select (select sum(owed_pence) from wallet.organizations where id = any(%(organizations)s)),
               (select sum(owed_pence) from wallet.calls where org_id = any(%(organizations)s))
    """
    owed = judge.execute(query, {"organizations": story.organizations}).fetchall()
    assert owed == [(0, 0)]


def answer(judge: Connection, query: LiteralString, *args: Any) -> None:
    assert Request("", query, args).send(judge)["success"]
