"""The documentation tells the truth: its examples are run, its tables held against the sources."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import DEFAULT, Mock
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from ..cli import main
from ..run import DEMO_ORG_ID
from ..sandbox import events
from ..settings import EXPECTED
from .docs_examples import ROOT, Comparison, Example, examples, read, run_python, run_sql
from .servers import DatabaseServer
from .services import balance, open_wallet, topups, wallet

Connection = psycopg.Connection[Any]

DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]

ACME = "6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10"
GLOBEX = "b1a7f0de-5c42-4a39-8e0c-2f6d9a3b7c55"

CODE = re.compile(r"`([^`]+)`")
WORD = re.compile(r"[a-z_]+")


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def run_document(
    database: str, server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Runs every example of a document in its order and compares the answers.

    It runs as service_role, or as a superuser where the block is marked `sql superuser`.
    """
    backend = f"{database}&options=-crole%3Dservice_role"
    monkeypatch.setenv("DATABASE_URL", backend)

    def run(document: str) -> None:
        found = examples(document, "sql", "python")
        comparison = Comparison("\n".join(example.code for example in found))
        namespace: dict[str, Any] = {}
        for example in found:
            assert example.answer is not None, f"{example.place} has no answer"
            if example.language == "python":
                output = run_python(example.code, example.place, namespace)
            else:
                url = database if example.role == "superuser" else backend
                bare = example.answer_language == "json"
                output = run_sql(example.code, url, server.psql, bare=bare)
            comparison.check(example, output)

    return run


def deliver(connection: Connection, event: dict[str, Any]) -> dict[str, Any]:
    [(answer,)] = connection.execute(
        "select wallet.process_stripe_event(%s::jsonb)", [json.dumps(event)]
    ).fetchall()
    return dict(answer)


def test_the_examples_of_the_cookbook(run_document: Callable[[str], None]) -> None:
    run_document("docs/cookbook.md")


def test_the_retry_rule_of_the_cookbook(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    open_wallet(connection, org_id=UUID(ACME), balance_pence=1_00)
    example, *_ = examples("docs/cookbook.md", "python")
    namespace: dict[str, Any] = {}
    run_python(example.code, example.place, namespace)

    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    connect = Mock(wraps=psycopg.connect)
    monkeypatch.setattr(psycopg, "connect", connect)
    passing = (
        psycopg.OperationalError("the connection is lost"),
        errors.SerializationFailure(),
        errors.DeadlockDetected(),
        errors.LockNotAvailable(),
        errors.QueryCanceled(),
        errors.AdminShutdown(),
    )
    for error in passing:
        connect.side_effect = [error, DEFAULT]
        assert namespace["call"]("select 1") == 1

    connect.side_effect = errors.DiskFull(), DEFAULT
    with pytest.raises(errors.DiskFull):
        namespace["call"]("select 1")


def test_the_examples_of_operations(
    run_document: Callable[[str], None], connection: Connection
) -> None:
    """Three events have failed: a wallet is missing, an organization isn't named, and a refund."""
    intent = events.payment_intent(GLOBEX, 20_00, payment_intent_id="pi_3Qb0example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb0example"))
    intent = events.payment_intent(
        "", 30_00, payment_intent_id="pi_3Qb7example", metadata={"type": "wallet_topup"}
    )
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb7example"))
    charge = events.charge(GLOBEX, 20_00, payment_intent_id="pi_3Qb2example")
    deliver(connection, events.charge_refunded(charge, event_id="evt_1Qb9example"))
    run_document("docs/operations.md")


def test_the_hash_chain_can_be_recomputed_elsewhere(
    run_document: Callable[[str], None], connection: Connection
) -> None:
    """Texts and numbers that languages write differently are in the two entries."""
    connection.execute("select wallet.create_wallet(%s)", [ACME])
    connection.execute(
        "select wallet.add_wallet_credits(%s, 5000, 'bonus',"
        " p_idempotency_key => %s, p_description => %s)",
        [ACME, 'key "\\/" \n\t\x01\x7f', "Zoë 😀 \u2028"],
    )
    connection.execute(
        "select wallet.deduct_call_credits(%s, 'call-1', 'vapi-1', 50, 70, 85, %s::jsonb, '')",
        [ACME, '{"zz": 1.50, "a": [1e2, 2.00, null, true], "é\\"": {"b": -0.0}}'],
    )
    run_document("docs/architecture.md")


# README


def blocks_of_readme(heading: str, language: str) -> list[Example]:
    """The blocks below a heading of the README."""
    start = read("README.md").index(f"\n## {heading}\n")
    end = read("README.md").find("\n## ", start + 1)
    section = read("README.md")[start:end]
    return [block for block in examples("README.md", language) if block.code in section]


def test_the_tour_of_the_readme(
    database: str, server: DatabaseServer, connection: Connection
) -> None:
    open_wallet(connection, org_id=DEMO_ORG_ID)
    deliver(connection, events.checkout_completed(events.checkout_session(DEMO_ORG_ID, 50_00)))
    tour = blocks_of_readme("Five minutes", "sql")
    comparison = Comparison("\n".join(example.code for example in tour))
    for example in tour:
        bare = example.answer_language == "json"
        comparison.check(example, run_sql(example.code, database, server.psql, bare=bare))


def test_the_demo_of_the_readme(database: str, tmp_path: Path) -> None:
    documented, *_ = blocks_of_readme("Five minutes", "text")
    story = wallet(tmp_path, "demo", DATABASE_URL=database)
    example = Example(documented.place, "sh", None, "make demo", documented.code, "text")
    Comparison("").check(example, story.stdout)


def test_the_set_up_of_the_readme(database: str, server: DatabaseServer) -> None:
    headings = ("Add it to a PostgreSQL database", "Point Stripe at it")
    for heading in headings:
        for example in blocks_of_readme(heading, "sql"):
            # Roles outlive a database, so nothing is kept.
            output = run_sql(f"begin;\n{example.code}\nrollback;", database, server.psql)
            assert "ERROR" not in output, example.place


def test_the_payment_of_the_readme_is_credited(connection: Connection) -> None:
    org_id = open_wallet(connection)
    (example,) = blocks_of_readme("Point Stripe at it", "python")
    namespace: dict[str, Any] = {}
    run_python(example.code, example.place, namespace)
    create = Mock()
    client = SimpleNamespace(
        v1=SimpleNamespace(checkout=SimpleNamespace(sessions=SimpleNamespace(create=create)))
    )
    namespace["start_topup"](client, str(org_id), 50_00)
    params = create.call_args.kwargs["params"]

    # Either of the two events credits it, whichever comes first.
    session = events.checkout_session(
        params["client_reference_id"], 50_00, metadata=params["metadata"]
    )
    intent = events.payment_intent(
        org_id,
        60_00,  # with tax, of which a payment intent tells nothing
        payment_intent_id=session["payment_intent"],
        metadata=params["payment_intent_data"]["metadata"],
    )
    for event in (events.payment_intent_event(intent), events.checkout_completed(session)):
        assert deliver(connection, event)["outcome"] == "processed"
    assert topups(connection, org_id) == [(50_00, session["payment_intent"])]
    assert balance(connection, org_id) == 50_00


def test_the_readme_names_the_events_that_are_handled() -> None:
    (block,) = blocks_of_readme("Point Stripe at it", "text")
    assert set(block.code.split()) == set(handled_events())


def test_the_commands_of_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE))
    text = "\n".join(map(read, DOCUMENTS))
    assert set(re.findall(r"(?:`|^ *)make ([a-z-]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"(?:[`/]|^)wallet ([a-z-]+)", text, re.MULTILINE)) <= set(main.commands)


def test_the_readme_lists_the_commands() -> None:
    (section,) = re.findall(r"\n## Commands\n(.*?)\n## ", read("README.md"), re.DOTALL)
    listed = " ".join(CODE.findall(section)).split()
    targets = re.findall(r"^([a-z]+):.*## ", read("Makefile"), re.MULTILINE)
    assert {*targets, *main.commands} - set(listed) == {"help", "lock"}


def test_the_links_of_the_documentation_lead_somewhere() -> None:
    anchors = {
        document: {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", read(document), re.MULTILINE)
        }
        for document in DOCUMENTS
    }
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)]+)\)", read(document)):
            path, _, anchor = target.partition("#")
            linked = (ROOT / document).parent / path if path else ROOT / document
            assert linked.is_file(), f"{document} links to {target}"
            if anchor:
                name = linked.resolve().relative_to(ROOT).as_posix()
                assert anchor in anchors[name], f"{document} links to {target}"


def test_the_documentation_names_no_path_of_a_machine() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"/(?:home|root|tmp|work|Users)/", read(document)), document


# Tables against sources


def table(document: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}$", read(document), flags=re.MULTILINE)[1]
    _titles, _line, *rows = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def codes(rows: list[list[str]], column: int = 0) -> list[str]:
    return [code for row in rows for code in CODE.findall(row[column])]


def sources(folder: str, pattern: str) -> str:
    """The text of source files without their comments."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / folder).glob(pattern)))
    return re.sub(r"^ *--[^\n]*\n|^comment on .*?;$", "", text, flags=re.DOTALL | re.MULTILINE)


def handled_events() -> list[str]:
    return re.findall(
        r"when '([a-z_.]+)' then", sources("db/functions/stripe", "apply_stripe_event.sql")
    )


def test_each_code_of_class_wl_is_documented() -> None:
    internal = {"WL011"}
    raised = set(re.findall(r"'(WL\d{3})'", sources("db/functions", "*/*.sql")))
    assert set(codes(table("docs/errors.md", "Misuse: SQLSTATE class WL"))) == raised - internal


def test_each_refusal_is_documented(connection: Connection) -> None:
    refused = set(re.findall(r"refuse\(\s*'([a-z_]+)'", sources("db/functions", "*/*.sql")))
    rows = table("docs/errors.md", "Refusals")
    assert set(codes(rows)) == refused - {"unexpected_error"}

    contracts = connection.execute(
        """
        select proname, substring(obj_description(oid) from '[Rr]efuses ([a-z_, ]+)')
          from pg_proc
         where pronamespace = 'wallet'::regnamespace
        """
    ).fetchall()
    for row in rows:
        (code,) = codes([row])
        functions = {name for name, refusals in contracts if code in WORD.findall(refusals or "")}
        assert set(codes([row], 2)) == functions, code


def test_each_refusal_has_an_example_with_the_documented_keys() -> None:
    shown: dict[str, set[str]] = {}
    for document in DOCUMENTS:
        for example in examples(document, "sql"):
            if example.answer_language == "json" and '"error"' in (example.answer or ""):
                answer = json.loads(example.answer or "")
                if "outcome" not in answer:
                    shown[answer["error"]] = answer.keys() - {"success", "error", "message"}
    documented = {
        codes([row])[0]: set(codes([row], 1)) for row in table("docs/errors.md", "Refusals")
    }
    assert shown == documented


def test_each_failure_of_an_event_is_documented() -> None:
    text = sources("db/functions/stripe", "*.sql")
    failures = set(re.findall(r"fail_event\(\s*'([a-z_]+)'", text))
    # Stored by process_stripe_event itself, and handed on by credit_topup from post_transaction.
    others = {"unexpected_error", "idempotency_conflict"}
    assert set(codes(table("docs/errors.md", "Events that fail"))) == failures | others


def test_each_answer_of_the_service_is_documented() -> None:
    text = sources("service/http", "*.py")
    refusals = re.findall(r"Refusal\(\s*(\d{3}),\s*\"([a-z_0-9]+)\"", text)
    errors = re.findall(r"error_response\(\s*(\w+),\s*\"([a-z_0-9]+)\"", text)
    answered = {code for _status, code in refusals + errors}
    rows = table("docs/errors.md", "HTTP")
    documented = {(row[0], *CODE.findall(row[1])) for row in rows if row[1].startswith("`")}
    by_aiohttp = {("404", "not_found"), ("405", "method_not_allowed")}
    settled = {("200", outcome) for outcome in ("processed", "duplicate", "pending", "ignored")}
    assert {code for _status, code in documented - by_aiohttp - settled} == answered
    assert set(refusals) <= documented
    assert by_aiohttp | settled <= documented


def test_each_finding_is_documented() -> None:
    text = "".join(
        sources("db/functions/reporting", f"{name}.sql")
        for name in ("validate_credits_consistency", "verify_ledger")
    )
    found = set(re.findall(r"^\s*\(?\s*'([a-z_]+)',", text, re.MULTILINE))
    assert set(codes(table("docs/operations.md", "Are the books right?"))) == found


def test_each_setting_is_documented() -> None:
    assert set(codes(table("docs/operations.md", "Settings"))) == set(EXPECTED)


def test_each_role_and_table_is_documented(connection: Connection) -> None:
    tables = connection.execute(
        "select relname from pg_class where relnamespace = 'wallet'::regnamespace and relkind = 'r'"
    )
    assert set(codes(table("docs/architecture.md", "The way of the data"))) == {
        name for (name,) in tables
    }
    migration = read("db/migrations/0001_create_roles_and_schema.sql")
    (roles,) = re.findall(r"in array array\[(.*?)\]", migration)
    assert set(codes(table("docs/operations.md", "Roles"))) == set(re.findall(r"'(\w+)'", roles))


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


def test_each_event_type_is_documented_with_its_effect() -> None:
    rows = table("docs/architecture.md", "What each Stripe event does")
    documented = {code for code in codes(rows) if "*" not in code}
    assert documented == set(handled_events())
    credits = {
        event
        for event in handled_events()
        if "credit_topup" in sources("db/functions/stripe", f"on_{event.replace('.', '_')}.sql")
    }
    assert {code for row in rows if row[1] == "credit" for code in codes([row])} == credits


def test_each_function_of_a_backend_is_in_the_cookbook(connection: Connection) -> None:
    functions = connection.execute(
        """
        select proname from pg_proc
         where pronamespace = 'wallet'::regnamespace
           and has_function_privilege('service_role', oid, 'execute')
        """
    )
    cookbook = read("docs/cookbook.md")
    assert [name for (name,) in functions if not re.search(rf"\b{name}\b", cookbook)] == []
