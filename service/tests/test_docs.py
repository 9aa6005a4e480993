"""The documentation tells the truth: its examples are run, its tables held against the sources."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import DEFAULT, Mock
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import UUID

import psycopg
import pytest
from aiohttp import web
from psycopg import errors
from psycopg.types.json import Jsonb

from ..cli import main
from ..database.checkup import ROLES
from ..http.topups import STATUS_OF_REFUSAL
from ..run import DEMO_ORG_ID
from ..sandbox import cards, control, events
from ..settings import EXPECTED, Settings
from ..worker.channels import Message, open_channels
from .docs_examples import ROOT, Comparison, Example, examples, read, run_python, run_sql
from .sandboxes import running_test_sandbox
from .servers import DatabaseServer
from .services import WalletProcess, balance, open_wallet, running_service, topups, wallet
from .workers import ALERT_SECRET, running_receiver

Connection = psycopg.Connection[Any]

DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]

ACME = "6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10"
GLOBEX = "b1a7f0de-5c42-4a39-8e0c-2f6d9a3b7c55"

TOKEN = "a-token-of-the-tests-" + "x" * 20

CODE = re.compile(r"`([^`]+)`")
WORD = re.compile(r"[a-z_]+")


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def deliver(connection: Connection, event: dict[str, Any]) -> dict[str, Any]:
    return call(connection, "process_stripe_event", event)


def call(connection: Connection, function: str, *arguments: Any, **named: Any) -> dict[str, Any]:
    """The answer of a function of the schema wallet."""
    values = [Jsonb(each) if isinstance(each, dict) else each for each in arguments]
    places = ["%s" for _ in values] + [f"{name} => %s" for name in named]
    query = f"select wallet.{function}({', '.join(places)})"
    [(answer,)] = connection.execute(query.encode(), [*values, *named.values()]).fetchall()
    return dict(answer)


def prepare_architecture(connection: Connection) -> None:
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


def prepare_operations(connection: Connection) -> None:
    """One payment is paid and one declined. Three events have failed, and a message is dead."""
    open_wallet(connection, org_id=UUID(ACME))
    session = events.checkout_session(
        ACME, 50_00, session_id="cs_test_a3example", payment_intent_id="pi_3Qb3example"
    )
    deliver(connection, events.checkout_completed(session, event_id="evt_1Qb3example"))
    intent = events.declined_payment_intent(ACME, 20_00, payment_intent_id="pi_3Qb4example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb4example"))

    intent = events.payment_intent(GLOBEX, 20_00, payment_intent_id="pi_3Qb0example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb0example"))
    intent = events.payment_intent(
        "", 30_00, payment_intent_id="pi_3Qb7example", metadata={"type": "wallet_topup"}
    )
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb7example"))
    intent = events.payment_intent(ACME, 25_00, currency="usd", payment_intent_id="pi_3Qb9example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb9example"))

    connection.execute(
        """
        update wallet.outbox_messages
           set status = 'delivered', attempts = 1, delivered_to = '{log,slack}',
               delivered_at = now()
        """
    )
    connection.execute(
        """
        update wallet.outbox_messages
           set status = 'dead', attempts = 24, delivered_to = '{log}', delivered_at = null,
               last_error = 'slack: HTTP 404'
         where topic = 'payment_failed'
        """
    )


def prepare_recharge(connection: Connection) -> None:
    """Two wallets of £12.00 with a saved card; a recharge of the second one is unresolved."""
    for org_id, name in ((ACME, "acme"), (GLOBEX, "globex")):
        open_wallet(connection, org_id=UUID(org_id), balance_pence=12_00)
        call(connection, "attach_stripe_customer", org_id, f"cus_{name}")
        card = events.card_payment_method(
            created=0, payment_method_id=f"pm_{name}", customer_id=f"cus_{name}"
        )
        deliver(connection, events.event("payment_method.attached", card))
    call(
        connection,
        "set_auto_recharge",
        GLOBEX,
        True,
        "sam",
        p_threshold_pence=10_00,
        p_amount_pence=50_00,
    )
    call(connection, "deduct_call_credits", GLOBEX, "call-1", None, 100, 0, 300)
    [recharge] = call(connection, "claim_recharges", "worker")["recharges"]
    silence = {"error": {"http_status": None, "type": "api_connection_error"}}
    call(connection, "record_recharge_result", GLOBEX, recharge["attempt_id"], silence)
    connection.execute(
        """
        update wallet.recharge_attempts
           set first_called_at = first_called_at - interval '25 hours', next_try_at = now()
        """
    )
    call(connection, "claim_recharges", "worker")
    nothing: dict[str, Any] = {"payment_intents": []}
    call(connection, "record_recharge_result", GLOBEX, recharge["attempt_id"], nothing)


def prepare_stripe(connection: Connection) -> None:
    """A plan of £50.00 with a bonus of £5.00, for which £60.00 was paid with tax."""
    open_wallet(connection, org_id=UUID(ACME))
    call(
        connection,
        "set_topup_plan",
        "growth",
        "Growth",
        "gbp",
        50_00,
        50_00,
        "sam",
        p_bonus_pence=5_00,
    )
    call(connection, "attach_stripe_customer", ACME, "cus_acme")
    topup = call(
        connection, "begin_topup", ACME, p_plan="growth", p_return_url="https://shop.example"
    )
    metadata = topup["request"]["params"]["metadata"]
    session = events.checkout_session(
        ACME,
        60_00,
        session_id="cs_test_c1example",
        payment_intent_id="pi_3Qc1example",
        amount_tax=10_00,
        metadata=metadata,
    )
    page = {"id": "cs_test_c1example", "url": "https://checkout.stripe.com/c/pay/cs_test_c1example"}
    call(
        connection,
        "attach_checkout_session",
        ACME,
        topup["topup_id"],
        page | {"expires_at": session["expires_at"], "metadata": metadata},
    )
    deliver(connection, events.checkout_completed(session, event_id="evt_1Qc1example"))


# What has happened in the database before the first example of a document.
PREPARATIONS: dict[str, Callable[[Connection], None]] = {
    "docs/architecture.md": prepare_architecture,
    "docs/cookbook.md": lambda _connection: None,
    "docs/errors.md": lambda _connection: None,
    "docs/operations.md": prepare_operations,
    "docs/recharge.md": prepare_recharge,
    "docs/stripe.md": prepare_stripe,
}


@pytest.mark.parametrize("document", PREPARATIONS)
def test_the_examples(
    document: str,
    database: str,
    server: DatabaseServer,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every example of a document is run, in its order, and its answer compared.

    It runs as service_role, or as a superuser where the block is marked `sql superuser`.
    """
    PREPARATIONS[document](connection)
    backend = f"{database}&options=-crole%3Dservice_role"
    monkeypatch.setenv("DATABASE_URL", backend)
    found = examples(document, "sql", "python")
    comparison = Comparison("\n".join(example.code for example in found))
    namespace: dict[str, Any] = {}
    for example in found:
        if example.language == "python":
            output = run_python(example.code, example.place, namespace)
        else:
            assert example.answer is not None, f"{example.place} has no answer"
            url = database if example.role == "superuser" else backend
            bare = example.answer_language == "json"
            output = run_sql(example.code, url, server.psql, bare=bare)
        if example.answer is None:
            assert not output, f"{example.place} prints what is not shown"
        else:
            comparison.check(example, output)


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


# README


def section_of_readme(heading: str) -> str:
    start = read("README.md").index(f"\n## {heading}\n")
    return read("README.md")[start : read("README.md").find("\n## ", start + 1)]


def blocks_of_readme(heading: str, language: str) -> list[Example]:
    """The blocks below a heading of the README."""
    section = section_of_readme(heading)
    return [block for block in examples("README.md", language) if block.code in section]


def test_the_tour_of_the_readme(
    database: str, server: DatabaseServer, connection: Connection, tmp_path: Path
) -> None:
    """With `wallet run`, a top-up, and somebody who pays on the sandbox's page."""
    open_wallet(connection, org_id=DEMO_ORG_ID)
    _demo, running, *_ = blocks_of_readme("Five minutes", "text")
    with WalletProcess(tmp_path, "run", DATABASE_URL=database, PORT="0") as process:
        process.wait_for_url()
        process.wait_until(lambda: "Ctrl-C" in process.output)
        for label in re.findall(r"^  (\w+) ", running.code, re.MULTILINE):
            assert f"\n  {label} " in process.output
        page = wallet(tmp_path, "topup", "--amount", "5000", DATABASE_URL=database).stdout.strip()
        form = b"action=pay&number=4242+4242+4242+4242"
        with urlopen(page, data=form) as response:  # noqa: S310
            assert response.status == HTTPStatus.OK
        process.wait_until(lambda: balance(connection, DEMO_ORG_ID))

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


async def test_the_request_of_the_readme_for_a_topup(database: str, connection: Connection) -> None:
    (example,) = [
        block
        for block in examples("README.md", "sh")
        if block.code in section_of_readme("Point Stripe at it") and "curl" in block.code
    ]
    words = shlex.split(example.code.replace("\\\n", ""))
    given = [words[place + 1] for place, word in enumerate(words) if word == "-H"]
    headers = dict(line.replace("$API_TOKEN", TOKEN).split(": ") for line in given)
    body = words[words.index("-d") + 1]
    documented = json.loads(example.answer or "")

    open_wallet(connection, org_id=UUID(ACME))
    async with (
        running_test_sandbox() as sandbox,
        running_service(
            database,
            stripe_secret_key=sandbox.key,
            stripe_api_base=sandbox.url,
            checkout_return_url="https://shop.example.com/wallet",
            api_token=TOKEN,
        ) as service,
        service.client.post(
            service.url + urlsplit(words[1]).path, data=body, headers=headers
        ) as response,
    ):
        answer = await response.json()
        assert response.status == HTTPStatus.OK, answer
    assert list(answer) == list(documented)
    plain = ("price_pence", "amount_pence", "bonus_pence", "currency")
    assert [answer[key] for key in plain] == [documented[key] for key in plain]


def test_the_payment_of_a_program_is_credited(connection: Connection) -> None:
    org_id = open_wallet(connection)
    (example,) = examples("docs/stripe.md", "python")
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
            if target.startswith("https://"):
                continue
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


def table(document: str, heading: str, number: int = 0) -> list[list[str]]:
    """The rows of the first table below a heading, or of a later one."""
    section = re.split(rf"^#+ {re.escape(heading)}$", read(document), flags=re.MULTILINE)[1]
    tables = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)
    _titles, _line, *rows = tables[number].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def codes(rows: list[list[str]], column: int = 0) -> list[str]:
    return [code for row in rows for code in CODE.findall(row[column])]


def sources(folder: str, pattern: str) -> str:
    """The text of source files without their comments."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / folder).glob(pattern)))
    return re.sub(r"^ *--[^\n]*\n|^comment on .*?;$", "", text, flags=re.DOTALL | re.MULTILINE)


def domain_values(connection: Connection, domain: str) -> set[str]:
    """What a domain allows."""
    [(check,)] = connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where contypid = %s::regtype",
        [f"wallet.{domain}"],
    ).fetchall()
    return set(re.findall(r"'(\w+)'", check))


def test_each_code_of_class_wl_is_documented() -> None:
    internal = {"WL011"}
    raised = set(re.findall(r"'(WL\d{3})'", sources("db/functions", "*/*.sql")))
    assert set(codes(table("docs/errors.md", "Misuse: SQLSTATE class WL"))) == raised - internal


def test_each_refusal_is_documented(connection: Connection) -> None:
    refused = set(re.findall(r"refuse\(\s*'([a-z_]+)'", sources("db/functions", "*/*.sql")))
    rows = table("docs/errors.md", "Refusals")
    assert set(codes(rows)) == refused - {"unexpected_error"}

    documented: dict[str, set[str]] = {}
    for row in rows:
        documented.setdefault(codes([row])[0], set()).update(codes([row], 2))
    assert documented == {code: refusing(connection, code) for code in documented}


def refusing(connection: Connection, code: str) -> set[str]:
    """The functions whose contract names this refusal."""
    contracts = connection.execute(
        """
        select proname, substring(obj_description(oid) from '[Rr]efuses ([a-z_, ]+)')
          from pg_proc
         where pronamespace = 'wallet'::regnamespace
        """
    )
    return {name for name, refusals in contracts if code in WORD.findall(refusals or "")}


def test_each_refusal_has_an_example_with_the_documented_keys() -> None:
    shown = set()
    for document in DOCUMENTS:
        for example in examples(document, "sql"):
            if example.answer_language == "json" and '"error"' in (example.answer or ""):
                answer = json.loads(example.answer or "")
                if "outcome" not in answer:
                    keys = answer.keys() - {"success", "error", "message"}
                    shown.add((answer["error"], frozenset(keys)))
    rows = table("docs/errors.md", "Refusals")
    assert shown == {(codes([row])[0], frozenset(codes([row], 1))) for row in rows}


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


def test_each_refusal_of_a_topup_is_documented_with_its_status(connection: Connection) -> None:
    rows = table("docs/errors.md", "Refusals of a top-up")
    documented = {(int(row[0]), code) for row in rows for code in codes([row], 1)}
    refused = {
        code
        for code in codes(table("docs/errors.md", "Refusals"))
        if refusing(connection, code) & {"begin_topup", "attach_checkout_session"}
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
    rows = table("docs/operations.md", "Settings")
    assert {code for code in codes(rows) if code.isupper()} == set(EXPECTED)
    assert set(re.findall(r"^#?([A-Z_]+)=", read(".env.example"), re.MULTILINE)) <= set(EXPECTED)


def test_each_status_is_documented(connection: Connection) -> None:
    place = 'A customer says "I paid"'
    for number, domain in enumerate(("topup_status", "event_status")):
        documented = set(codes(table("docs/operations.md", place, number)))
        assert documented == domain_values(connection, domain)


def test_each_alert_is_documented(connection: Connection) -> None:
    rows = table("docs/operations.md", "Alerts", 1)
    assert set(codes(rows)) == domain_values(connection, "message_topic")
    sent = set(re.findall(r"'([a-z_]+)'", sources("db/functions", "*/*.sql")))
    for topic, tells_of in rows:
        assert (CODE.findall(topic)[0] not in sent) == tells_of.startswith("nothing yet")


async def test_the_receiver_of_the_documentation_knows_our_alerts() -> None:
    (example,) = examples("docs/operations.md", "python")
    namespace: dict[str, Any] = {}
    run_python(example.code, example.place, namespace)
    message: Message = {
        "id": "5d2c1b0a-7e6f-4d3c-9b8a-1f0e2d3c4b5a",
        "topic": "low_balance",
        "org_id": ACME,
        "payload": {"message": "The balance is £9.00, below £10.00.", "balance_pence": 900},
        "created_at": "2026-11-21T14:47:06.849843+00:00",
        "attempts": 1,
        "delivered_to": [],
    }
    async with running_receiver() as receiver:
        settings = Settings.load(alert_webhook_url=receiver.url, alert_webhook_secret=ALERT_SECRET)
        async with open_channels(settings) as channels:
            await channels[-1].send(message)
    [delivery] = receiver.deliveries
    read_alert = namespace["read_alert"]
    alert = read_alert(ALERT_SECRET, delivery.headers, delivery.body)
    assert (alert["id"], alert["data"]) == (message["id"], message["payload"])

    documented = table_of_keys("docs/operations.md", '{"id": "…", "type"')
    assert list(alert) == documented
    for headers, body in (
        (delivery.headers, delivery.body + b" "),
        (delivery.headers | {"webhook-id": "another"}, delivery.body),
        (delivery.headers | {"webhook-timestamp": "1"}, delivery.body),
    ):
        with pytest.raises(ValueError, match=r"signed|old"):
            read_alert(ALERT_SECRET, headers, body)


def table_of_keys(document: str, start: str) -> list[str]:
    """The keys of the JSON object that begins like this."""
    text = read(document)
    decoded, _end = json.JSONDecoder().raw_decode(text, text.index(start))
    return list(decoded)


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
    assert set(codes(table("docs/operations.md", "Health"))) == set(health)
    shown = read("docs/operations.md").split("## Health\n")[1].split("```")[1]
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
    documented = set(codes(table("docs/operations.md", "Logs"), 1)) - {"logger"}
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
    rows = table("docs/operations.md", "Roles")
    assert codes(rows)[: len(ROLES)] == list(ROLES)
    for role in ("wallet_webhook", "wallet_worker"):
        (row,) = [row for row in rows if row[0] == f"`{role}`"]
        assert set(codes([row], 2)) == functions_of(connection, role)


def functions_of(connection: Connection, role: str) -> set[str]:
    rows = connection.execute(
        """
        select proname from pg_proc
         where pronamespace = 'wallet'::regnamespace and has_function_privilege(%s, oid, 'execute')
        """,
        [role],
    )
    return {name for (name,) in rows}


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


def test_each_function_of_a_backend_is_in_the_cookbook(connection: Connection) -> None:
    cookbook = read("docs/cookbook.md")
    missing = {
        name
        for name in functions_of(connection, "service_role")
        if not re.search(rf"\b{name}\b", cookbook)
    }
    assert not missing


def test_each_function_of_a_backend_has_an_example(connection: Connection) -> None:
    """Of those that write, at least: a reader shall see a real answer of each."""
    code = "\n".join(
        example.code for document in PREPARATIONS for example in examples(document, "sql", "python")
    )
    writing = connection.execute(
        """
        select proname from pg_proc
         where pronamespace = 'wallet'::regnamespace and prosecdef
           and has_function_privilege('service_role', oid, 'execute')
        """
    )
    assert [name for (name,) in writing if f"wallet.{name}(" not in code] == []
