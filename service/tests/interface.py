"""What programs outside of a release rely on: functions, columns, statements, answers.

`released_interface.json` is that of the last release. A newer database has to serve whoever was
written against it, first of all the released service and worker. At a release it is written anew,
from a checkout of that commit, by `python -m service.tests.interface COMMIT`.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from ..database.embedded import EmbeddedServer
from ..database.migrate import migrate
from ..sandbox import events

SERVICE = Path(__file__).resolve().parents[1]
RELEASED = Path(__file__).with_name("released_interface.json")

ROLES = ("service_role", "wallet_webhook", "wallet_worker", "authenticated")

ORG_ID = UUID("6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10")

FUNCTIONS = """
    select p.proname,
           (
               select coalesce(json_agg(json_build_array(
                          p.proargnames[place], format_type(p.proargtypes[place - 1], null),
                          place > p.pronargs - p.pronargdefaults
                      ) order by place), '[]')
                 from generate_series(1, p.pronargs) as place
           ) as parameters,
           pg_get_function_result(p.oid) as result,
           (
               select array_agg(role) from unnest(%(roles)s::text[]) as role
                where has_function_privilege(role, p.oid, 'execute')
           ) as callers
      from pg_proc as p
     where p.pronamespace = 'wallet'::regnamespace and p.prorettype <> 'trigger'::regtype
     order by p.proname
"""

COLUMNS = """
    select c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
           (
               select array_agg(role) from unnest(%(roles)s::text[]) as role
                where has_column_privilege(role, c.oid, a.attnum, 'select')
           ) as readers
      from pg_class as c
      join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'wallet'::regnamespace and c.relkind in ('r', 'v')
     order by c.relname, a.attnum
"""

CHANNELS = """
    select distinct channel[1]
      from pg_proc, regexp_matches(prosrc, $$pg_notify\\('(\\w+)'$$, 'g') as channel
     where pronamespace = 'wallet'::regnamespace
     order by 1
"""

Connection = psycopg.Connection[Any]
Shape = Any


def describe(connection: Connection) -> dict[str, Any]:
    """What a schema offers to those who are not its owner."""
    roles = {"roles": list(ROLES)}
    functions = {
        name: {"parameters": parameters, "result": result, "callers": callers}
        for name, parameters, result, callers in connection.execute(FUNCTIONS, roles)
        if callers
    }
    columns: dict[str, dict[str, Any]] = {}
    for table, column, column_type, readers in connection.execute(COLUMNS, roles):
        if readers:
            columns.setdefault(table, {})[column] = {"type": column_type, "readers": readers}
    channels = [channel for (channel,) in connection.execute(CHANNELS)]
    return {"functions": functions, "columns": columns, "channels": channels}


def statements(source: Path = SERVICE) -> list[str]:
    """Every statement of the service, the worker and the commands that names our schema."""
    found = set()
    for path in source.rglob("*.py"):
        if "tests" not in path.relative_to(source).parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = " ".join(node.value.split())
                    if re.match(r"(select|with) .*\bwallet\.\w", text) and "..." not in text:
                        found.add(text)
    return sorted(found)


def numbered(statement: str) -> str:
    """The statement with PostgreSQL's own parameters in place of psycopg's."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match[1] or f"unnamed {len(names)}"
        return f"${names.setdefault(name, len(names) + 1)}"

    return re.sub(r"%(?:\((\w+)\))?s", number, statement).replace("%%", "%")


def shape(value: Any) -> Shape:
    """The keys and types of an answer, whatever its values are."""
    if isinstance(value, dict):
        # What is handed on to Stripe as it is, is between SQL and Stripe.
        return {key: shape(value[key]) for key in sorted(value) if key != "params"}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return {bool: "boolean", int: "number", float: "number", str: "text"}.get(type(value), "null")


def answers(connection: Connection) -> dict[str, Shape]:
    """The shape of what each function answers to the calls of a day."""
    shapes: dict[str, Shape] = {}
    for label, answer in _call_each(connection):
        assert label not in shapes, label
        shapes[label] = shape(answer)
    return shapes


def _call_each(connection: Connection) -> Iterator[tuple[str, Any]]:
    def call(function: str, *arguments: Any) -> Any:
        values = [Jsonb(each) if isinstance(each, dict) else each for each in arguments]
        places = ", ".join("%s" for _ in values)
        query = f"select wallet.{function}({places})"
        [(answer,)] = connection.execute(query.encode(), values).fetchall()
        return answer

    def answer(function: str, *arguments: Any) -> tuple[str, Any]:
        return function, call(function, *arguments)

    yield answer("create_wallet", ORG_ID, "Acme", "sam@acme.example")
    yield answer("begin_topup", ORG_ID, 50_00, None, None, "https://shop.example/wallet")
    yield answer("attach_stripe_customer", ORG_ID, "cus_acme")
    begun = call("begin_topup", ORG_ID, 50_00, None, None, "https://shop.example/wallet")
    yield "begin_topup, with a customer", begun
    page = events.checkout_session(
        ORG_ID, 50_00, session_id="cs_test_1", metadata=begun["request"]["params"]["metadata"]
    )
    unpaid = page | {"url": "https://checkout.stripe.com/c/pay/cs_test_1", "status": "open"}
    yield answer("attach_checkout_session", ORG_ID, begun["topup_id"], unpaid)
    paid = events.checkout_completed(page)
    yield answer("process_stripe_event", paid)
    yield "process_stripe_event, again", call("process_stripe_event", paid)
    yield "process_stripe_event, failed", call("process_stripe_event", _payment_of_nobody())
    card = events.card_payment_method(created=0, payment_method_id="pm_1", customer_id="cus_acme")
    call("process_stripe_event", events.event("payment_method.attached", card))
    yield answer("set_auto_recharge", ORG_ID, True, "sam", 10_00, 50_00)

    yield answer("deduct_call_credits", ORG_ID, "call-1", None, 50, 70, 45_00)
    yield (
        "deduct_call_credits, refused",
        call("deduct_call_credits", ORG_ID, "call-2", None, 50, 70, 90_00),
    )
    [recharge] = call("claim_recharges", "worker", 10, 60)["recharges"]
    yield "claim_recharges", {"recharges": [recharge]}
    declined = {"error": {"http_status": None, "type": "api_connection_error"}}
    yield answer("record_recharge_result", ORG_ID, recharge["attempt_id"], declined)
    yield answer("claim_messages", "worker", 20, 60)
    [(message_id,)] = connection.execute(
        "select id from wallet.outbox_messages where status = 'pending' limit 1"
    ).fetchall()
    yield answer("record_delivery", message_id, "worker", ["log"], None)

    yield answer("reserve_call_credits", ORG_ID, "call-3", None, 1)
    yield answer("commit_reserved_credits", "call-3", 30)
    yield answer("record_call", _report(ORG_ID))
    yield "record_call, failed", call("record_call", _report(None))
    yield answer("replay_unbilled_calls")
    yield answer("cleanup_expired_reservations")
    yield answer("charge_sms", ORG_ID, "message-1", 1, "SM" + 32 * "0")
    yield answer("record_sms_status", {"MessageSid": "SM" + 32 * "0", "MessageStatus": "sent"})
    yield answer("adjust_wallet", ORG_ID, 100, "credit", "Sorry", "sam", "sorry-1")

    yield answer("request_call_reconciliation", None, "sam")
    claimed = call("claim_call_reconciliation", "worker", 300)
    yield "claim_call_reconciliation", claimed
    named = ("worker", *(claimed["reconciliation"][edge] for edge in ("from", "to")))
    yield answer("save_provider_calls", *named, Jsonb([]), named[1], 300)
    yield answer("recover_provider_calls", *named, 300)
    yield answer("finish_call_reconciliation", *named)
    yield answer("fail_call_reconciliation", *named, "Lost")
    yield answer("note_worker", "worker", "1.0")

    yield answer("get_health")
    yield answer("get_queue_stats")
    yield answer("get_wallet_summary", ORG_ID)
    yield answer("list_transactions", ORG_ID)
    yield answer("wallet_statement", ORG_ID, "-infinity", "infinity")


def _payment_of_nobody() -> dict[str, Any]:
    intent = events.payment_intent(UUID(int=0), 30_00, payment_intent_id="pi_of_nobody")
    return events.payment_intent_event(intent)


def _report(org_id: UUID | None) -> dict[str, Any]:
    now = datetime.now(UTC)
    times = {"createdAt": now, "startedAt": now, "endedAt": now + timedelta(minutes=1)}
    return {
        "id": f"vapi-{org_id}",
        "status": "ended",
        "type": "outboundPhoneCall",
        "metadata": {"org_id": str(org_id)} if org_id else {},
        **{name: time.isoformat() for name, time in times.items()},
    }


def dump(interface: dict[str, Any]) -> str:
    """As JSON with a line for each function, table, statement and answer."""
    lines = []
    for part, content in interface.items():
        if isinstance(content, dict):
            entries = [f"{json.dumps(name)}: {json.dumps(each)}" for name, each in content.items()]
            opening, closing = "{}"
        elif isinstance(content, list):
            entries = [json.dumps(each) for each in content]
            opening, closing = "[]"
        else:
            lines.append(f"{json.dumps(part)}: {json.dumps(content)}")
            continue
        body = ",\n  ".join(entries)
        lines.append(f"{json.dumps(part)}: {opening}\n  {body}\n {closing}")
    return "{\n " + ",\n ".join(lines) + "\n}"


def main(commit: str) -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder)) as server:
        migrate(server.ensure_database())
        with psycopg.connect(server.url(), autocommit=True) as connection:
            interface = {
                "commit": commit,
                **describe(connection),
                "statements": statements(),
                "answers": answers(connection),
            }
    print(dump(interface))


if __name__ == "__main__":
    main(sys.argv[1])
