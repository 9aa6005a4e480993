"""The tables of the documentation are complete: each is held against the sources, both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from aiohttp import web
from psycopg.types.json import Jsonb

from ..database.checkup import ROLES
from ..http.app import create_app
from ..http.body import MAX_BODY_BYTES
from ..http.stripe import TOLERANCE_SECONDS
from ..http.twilio import MAX_FIELDS
from ..http.vapi import MAX_REPORT_BYTES
from ..http.wallet import STATUS_OF_REFUSAL
from ..sandbox import cards, control
from ..settings import EXPECTED, ServiceSettings
from ..vapi_api.reconcile import FINISH_SECONDS, LEASE_SECONDS
from ..worker import work
from .docs import (
    CODE,
    DOCUMENTS,
    WORD,
    Connection,
    call,
    codes,
    domain_values,
    functions_of,
    sources,
    table,
)
from .docs_examples import ROOT, examples, read

# What a refusal has beside the keys of its code: of its place in a batch, or of a charge_usage.
ALWAYS_POSSIBLE = {"success", "error", "message", "index", "cost_breakdown"}


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def test_each_code_of_class_wl_is_documented() -> None:
    internal = {"WL011"}
    raised = set(re.findall(r"'(WL\d{3})'", sources("db/functions", "*/*.sql")))
    assert set(codes(table("docs/errors.md", "Misuse: SQLSTATE class WL"))) == raised - internal


def test_each_refusal_is_documented(connection: Connection) -> None:
    text = sources("db/functions", "*/*.sql")
    refused = set(re.findall(r"refuse(?:_number_status)?\(\s*'([a-z_]+)'", text))
    rows = refusals()
    assert set(codes(rows)) == refused - reasons_not_to_bill()

    documented: dict[str, set[str]] = {}
    for row in rows:
        documented.setdefault(codes([row])[0], set()).update(codes([row], 2))
    assert documented == {code: refusing(connection, code) for code in documented}


def refusals() -> list[list[str]]:
    """Code, keys and functions; what can be in conflict in several ways has a row for each."""
    rows = table("docs/errors.md", "Refusals")
    *others, (conflict, _, _) = rows
    conflicts = table("docs/errors.md", "One key, two things")
    return others + [[conflict, keys, functions] for _, keys, functions in conflicts]


def reasons_not_to_bill() -> set[str]:
    """What only stands in the way of a call that its provider tells of."""
    text = sources("db/functions/calls", "bill_reported_call.sql")
    return set(re.findall(r"refuse\(\s*'([a-z_]+)'", text))


def refusing(connection: Connection, code: str) -> set[str]:
    """The functions whose contract names this refusal."""
    contracts = connection.execute(
        """
        select proname, sentence[1]
          from pg_proc, regexp_matches(obj_description(oid), %s, 'g') as sentence
         where pronamespace = 'wallet'::regnamespace
           and (
                   has_function_privilege('service_role', oid, 'execute')
                   or has_function_privilege('authenticated', oid, 'execute')
               )
        """,
        [r"[Rr]efuse[sd](?: items:| as)? ((?:[^.;(]|\([^)]*\))*)"],
    )
    return {name for name, refused in contracts if code in WORD.findall(refused)}


def test_each_refusal_has_an_example_with_the_documented_keys() -> None:
    shown = set()
    for document in DOCUMENTS:
        for example in examples(document, "sql"):
            if example.answer_language == "json" and '"error"' in (example.answer or ""):
                answer = json.loads(example.answer or "")
                for each in (answer, *answer.get("results", [])):
                    if "error" in each and "outcome" not in each:
                        keys = each.keys() - ALWAYS_POSSIBLE
                        shown.add((each["error"], frozenset(keys)))
    assert shown == {(codes([row])[0], frozenset(codes([row], 1))) for row in refusals()}


def test_each_reason_not_to_bill_a_call_is_documented(connection: Connection) -> None:
    [(refused,)] = connection.execute(
        """
        select substring(obj_description(oid) from 'refuses ([a-z_, ]+)')
          from pg_proc
         where proname = 'bill_reported_call'
        """
    ).fetchall()
    assert set(WORD.findall(refused)) >= reasons_not_to_bill()
    # A call of the list that can't even be read.
    text = sources("db/functions/calls", "read_listed_calls.sql")
    unreadable = re.findall(r"'error', '([a-z_]+)'", text)
    documented = codes(table("docs/errors.md", "Calls that are not billed"))
    assert sorted(documented) == sorted([*WORD.findall(refused), *unreadable])


def test_each_failure_of_an_event_is_documented() -> None:
    text = sources("db/functions/stripe", "*.sql")
    failures = set(re.findall(r"fail_event\(\s*'([a-z_]+)'", text))
    # Stored by process_stripe_event itself, and handed on by credit_topup from post_transaction.
    others = {"unexpected_error", "idempotency_conflict"}
    assert set(codes(table("docs/errors.md", "Events that fail"))) == failures | others


def test_each_answer_of_the_service_is_documented() -> None:
    text = sources("service/http", "*.py")
    refusals = re.findall(r"Refusal\(\s*(\d{3}),\s*\"([a-z_0-9]+)\"", text)
    refusals += [("400", code) for code in re.findall(r"_error=\"([a-z_0-9]+)\"", text)]
    errors = re.findall(r"error_response\(\s*(\w+),\s*\"([a-z_0-9]+)\"", text)
    answered = {code for _status, code in refusals + errors}
    rows = table("docs/errors.md", "HTTP", 1)
    documented = {(row[0], *CODE.findall(row[1])) for row in rows if row[1].startswith("`")}
    documented.remove(("500", "idempotency_conflict"))  # a refusal that is handed on
    by_aiohttp = {("404", "not_found"), ("405", "method_not_allowed")}
    settled = {("200", outcome) for outcome in ("processed", "duplicate", "pending", "ignored")}
    settled.add(("202", "due"))
    assert {code for _status, code in documented - by_aiohttp - settled} == answered
    assert set(refusals) <= documented
    assert by_aiohttp | settled <= documented


def test_each_refusal_over_http_is_documented_with_its_status(connection: Connection) -> None:
    rows = table("docs/errors.md", "Refusals over HTTP")
    documented = {(int(row[0]), code) for row in rows for code in codes([row], 1)}
    called = {"begin_topup", "attach_checkout_session"}
    called |= set(codes(table("docs/own-page.md", "Over HTTP"), 2))
    refused = {
        code
        for code in codes(table("docs/errors.md", "Refusals"))
        if refusing(connection, code) & called
    }
    assert documented == {
        (STATUS_OF_REFUSAL.get(code, HTTPStatus.CONFLICT), code) for code in refused
    }


def test_each_finding_is_documented() -> None:
    text = "".join(
        sources("db/functions/reporting", f"{name}.sql")
        for name in ("validate_credits_consistency", "verify_ledger")
    )
    found = set(re.findall(r"^\s*\(?\s*'([a-z_]+)',", text, re.MULTILINE))
    assert set(codes(table("docs/operations.md", "Are the books right?"))) == found


def test_each_setting_is_documented() -> None:
    text = read("docs/settings.md")
    documented = {
        code
        for row in re.findall(r"^\| (`[A-Z].*?) \|", text, re.MULTILINE)
        for code in CODE.findall(row)
    }
    assert documented == set(EXPECTED)
    assert set(re.findall(r"^#?([A-Z_]+)=", read(".env.example"), re.MULTILINE)) <= set(EXPECTED)


def test_each_status_is_documented(connection: Connection) -> None:
    place = 'A customer says "I paid"'
    for number, domain in enumerate(("topup_status", "event_status")):
        documented = set(codes(table("docs/operations.md", place, number)))
        assert documented == domain_values(connection, domain)


def test_the_limits_of_a_request_are_documented() -> None:
    meanings = {code: meaning for _status, code, meaning in table("docs/errors.md", "HTTP", 1)}
    kib, mib = MAX_BODY_BYTES // 1024, MAX_REPORT_BYTES // 1024**2
    assert meanings["`body_too_large`"] == f"more than {kib} KiB, or for Vapi {mib} MiB"
    assert f"more than {MAX_FIELDS} fields" in meanings["`invalid_form`"]
    assert f"more than {TOLERANCE_SECONDS} seconds" in meanings["`signature_out_of_time`"]


def test_the_times_of_the_worker_are_documented() -> None:
    times = [when for _errand, when in table("docs/operations.md", "Worker")]
    assert [re.findall(r"every (\w+ ?\w*)", when) for when in times] == [
        [f"{work.POLL_SECONDS} seconds"],
        [f"{work.POLL_SECONDS} seconds"],
        [f"{work.RESERVATIONS_SECONDS} seconds"],
        ["minute"],
        ["hour"],
        [f"{work.CONSISTENCY_SECONDS // 60} minutes"],
        [f"{work.HEARTBEAT_SECONDS} seconds"],
    ]
    assert (work.RECONCILE_SECONDS, work.UNBILLED_SECONDS) == (60, 3600)
    for page in ("docs/operations.md", "docs/reconciliation.md"):
        assert read(page).count(f"{LEASE_SECONDS} seconds") == 1, page
    assert f"more than {FINISH_SECONDS} seconds" in " ".join(read("docs/settings.md").split())


def test_each_path_is_documented() -> None:
    """Those of customers and operators have tables of their own."""
    settings = ServiceSettings.load(
        database_url="postgresql://127.0.0.1/shop", stripe_webhook_secret="whsec_example"
    )
    tables = (
        table("docs/errors.md", "HTTP"),
        table("docs/own-page.md", "Over HTTP"),
        table("docs/monitoring.md", "Ask the service"),
    )
    requests = {code.partition("?")[0] for rows in tables for code in codes(rows)}
    assert {request for request in requests if " " in request} == {
        f"{route.method} {route.resource.canonical}"
        for route in create_app(settings).router.routes()
        if route.resource and route.method != "HEAD"
    }


def test_each_status_of_a_reconciliation_is_documented(connection: Connection) -> None:
    rows = table("docs/reconciliation.md", "Reconciliation", 1)
    assert set(codes(rows)) == domain_values(connection, "reconciliation_status")


def test_each_key_of_a_reconciliation_is_documented(connection: Connection) -> None:
    now = datetime.now(UTC)
    report = call(connection, "reconcile_calls", now - timedelta(days=1), now, Jsonb([]))
    documented = codes(table("docs/reconciliation.md", "Reconciliation"), 1)
    assert set(documented) == report.keys() - {"success", "from", "to", "run"}


def test_each_key_of_an_entry_is_documented() -> None:
    """Those that pgwallet makes up: each begins with what it is the key of."""
    folders = ("ledger", "calls", "messaging", "telephony", "stripe")
    text = "".join(sources(f"db/functions/{folder}", "*.sql") for folder in folders)
    made = set(re.findall(r"'((?:[a-z_]+:)+)(?:'|%s)", text))
    # The ids of an event that never was, and of a call that has none.
    made -= {"reconciled:", "unusable:"}
    keys = codes(table("docs/architecture.md", "Idempotency"), 1)
    assert {prefix for key in keys for prefix in re.findall("^((?:[a-z_]+:)+)<", key)} == made


def test_each_alert_is_documented(connection: Connection) -> None:
    rows = table("docs/alerts.md", "Topics")
    assert set(codes(rows)) == domain_values(connection, "message_topic")
    sent = set(re.findall(r"'([a-z_]+)'", sources("db/functions", "*/*.sql")))
    assert set(codes(rows)) <= sent


def test_each_state_of_a_recharge_is_documented(connection: Connection) -> None:
    states = domain_values(connection, "recharge_state")
    assert set(codes(table("docs/recharge.md", "States"))) == states
    diagram = read("docs/recharge.md").split("## States\n")[1].split("```")[1]
    assert set(WORD.findall(diagram)) >= states


def test_each_obstacle_to_a_recharge_is_documented() -> None:
    text = sources("db/functions/recharge", "find_recharge_obstacle.sql")
    obstacles = re.findall(r"(?:return|then) '([a-z_]+)'", text)
    rows = table("docs/recharge.md", "Why is there no recharge?")
    assert codes(rows) == obstacles


def test_each_setting_of_a_recharge_is_documented(connection: Connection) -> None:
    [(parameters,)] = connection.execute(
        "select proargnames from pg_proc where proname = 'set_auto_recharge'"
    ).fetchall()
    documented = set(codes(table("docs/recharge.md", "Turn it on")))
    assert documented == set(parameters) - {"p_org_id", "p_enabled", "p_actor"}


def test_each_figure_of_health_is_documented(connection: Connection) -> None:
    health = call(connection, "get_health")
    assert set(codes(table("docs/monitoring.md", "Health"))) == set(health)
    shown = read("docs/monitoring.md").split("## Health\n")[1].split("```")[1]
    assert json.loads(shown.removeprefix("text"))["database"].keys() == health.keys()


def test_each_event_of_the_log_is_documented() -> None:
    logged = set()
    for path in (ROOT / "service").rglob("*.py"):
        if "tests" not in path.parts:
            logged |= set(
                re.findall(
                    r"(?:\blog\.(?:info|warning|error|exception)|\bwrite)\(\s*\"(\w+)\"",
                    path.read_text(),
                )
            )
    documented = set(codes(table("docs/monitoring.md", "Logs"), 1)) - {"logger"}
    assert documented == logged


def test_the_sandbox_is_documented() -> None:
    plain = {
        card.number
        for card in cards.CARDS.values()
        if card == cards.Card(card.number, card.brand, card.funding)
    }
    documented = set(codes(table("docs/stripe.md", "The sandbox")))
    assert (
        documented - {"4242424242424242"} == {card.number for card in cards.CARDS.values()} - plain
    )

    app = web.Application()
    control.add_routes(app)
    routes = {
        f"{route.method} {route.resource.canonical.removeprefix(control.PREFIX)}"
        for route in app.router.routes()
        if route.resource and route.method != "HEAD"
    }
    assert set(codes(table("docs/stripe.md", "The sandbox", 1))) == routes


def test_each_role_and_table_is_documented(connection: Connection) -> None:
    tables = connection.execute(
        "select relname from pg_class where relnamespace = 'wallet'::regnamespace and relkind = 'r'"
    )
    assert set(codes(table("docs/architecture.md", "The way of the data"))) == {
        name for (name,) in tables
    }
    rows = table("docs/security.md", "Roles")
    assert codes(rows)[: len(ROLES)] == list(ROLES)
    for role in ("wallet_webhook", "wallet_worker"):
        (row,) = [row for row in rows if row[0] == f"`{role}`"]
        assert set(codes([row], 2)) == functions_of(connection, role)


def test_each_entry_type_is_documented_with_its_direction(connection: Connection) -> None:
    [(definition,)] = connection.execute(
        """
        select pg_get_constraintdef(oid) from pg_constraint where conname = 'entry_kind_check'
        """
    ).fetchall()
    rows = table("docs/architecture.md", "Entry types")
    allowed = set(re.findall(r"'([a-z_]+) (?:credit|debit)'", definition))
    assert sorted(codes(rows, 1)) == sorted(allowed)
    for direction, types in rows:
        expected = ["credit", "debit"] if direction == "either" else [direction]
        for entry_type in CODE.findall(types):
            query = "select wallet.entry_directions(%s)"
            assert connection.execute(query, [entry_type]).fetchall() == [(expected,)]


def test_each_event_type_is_documented_with_its_effect(connection: Connection) -> None:
    rows = table("docs/stripe.md", "What each event does")
    [(handled,)] = connection.execute("select wallet.stripe_event_types()").fetchall()
    assert set(codes(rows)) == set(handled)

    text = sources("db/functions/stripe", "apply_stripe_event.sql")
    handlers = dict(re.findall(r"when '([a-z_.]+)' then\s+return wallet\.(\w+)", text))
    credits = {
        event
        for event, handler in handlers.items()
        if "credit_topup" in sources("db/functions/stripe", f"{handler}.sql")
    }
    assert {code for row in rows if row[1] == "credit" for code in codes([row])} == credits
