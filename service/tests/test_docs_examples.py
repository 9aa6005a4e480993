"""The examples of the documentation are run, and answer what it says."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import DEFAULT, Mock
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from ..sandbox import events
from ..settings import Settings
from ..worker.channels import Message, open_channels
from .docs import (
    ACME,
    GLOBEX,
    PAGES,
    TOKEN,
    Connection,
    call,
    codes,
    deliver,
    functions_of,
    table,
    table_of_keys,
)
from .docs_examples import Comparison, examples, read, read_curl, run_python, run_sql
from .reconciliations import days_ago, report_call, take_place
from .sandboxes import running_test_sandbox
from .servers import DatabaseServer
from .services import balance, open_wallet, running_service, topups, wallet
from .workers import ALERT_SECRET, running_receiver, vapi_at


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


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
    """A payment is paid, one declined, and three events have failed."""
    pay_fifty(connection)
    decline_twenty(connection)
    intent = events.payment_intent(GLOBEX, 20_00, payment_intent_id="pi_3Qb0example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb0example"))
    intent = events.payment_intent(
        "", 30_00, payment_intent_id="pi_3Qb7example", metadata={"type": "wallet_topup"}
    )
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb7example"))
    intent = events.payment_intent(ACME, 25_00, currency="usd", payment_intent_id="pi_3Qb9example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb9example"))


def pay_fifty(connection: Connection) -> None:
    open_wallet(connection, org_id=UUID(ACME))
    session = events.checkout_session(
        ACME, 50_00, session_id="cs_test_a3example", payment_intent_id="pi_3Qb3example"
    )
    deliver(connection, events.checkout_completed(session, event_id="evt_1Qb3example"))


def decline_twenty(connection: Connection) -> None:
    intent = events.declined_payment_intent(ACME, 20_00, payment_intent_id="pi_3Qb4example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb4example"))


def prepare_alerts(connection: Connection) -> None:
    """One message was not delivered for hours."""
    pay_fifty(connection)
    decline_twenty(connection)
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


def prepare_security(connection: Connection) -> None:
    """Two wallets with an entry or two."""
    pay_fifty(connection)
    open_wallet(connection, org_id=UUID(GLOBEX), balance_pence=20_00)
    call(connection, "deduct_call_credits", GLOBEX, "call-1", None, 50, 70, 85)


def prepare_monitoring(connection: Connection) -> None:
    """A worker is alive, a payment is credited, and one of a wallet that isn't there."""
    call(connection, "note_worker", "worker-1", "1.0")
    pay_fifty(connection)
    intent = events.payment_intent(GLOBEX, 20_00, payment_intent_id="pi_3Qb0example")
    deliver(connection, events.payment_intent_event(intent, event_id="evt_1Qb0example"))


def prepare_reconciliation(connection: Connection) -> None:
    """A wallet of £50.00. Vapi has told of two calls: one is billed and owes, one is nobody's."""
    pay_fifty(connection)
    prepare_calls(connection)


def prepare_calls(connection: Connection) -> None:
    ended = {"status": "ended", "type": "outboundPhoneCall"}
    for vapi_call_id, minutes, rest in (
        ("vapi-example-1", 120, {"metadata": {"org_id": ACME, "call_id": "call-31"}}),
        ("vapi-example-2", 4, {"assistantId": "asst-example"}),
    ):
        now = datetime.now(UTC)
        times = {
            "createdAt": now - timedelta(minutes=minutes),
            "startedAt": now - timedelta(minutes=minutes),
            "endedAt": now,
        }
        call(
            connection,
            "record_call",
            ended
            | {"id": vapi_call_id}
            | {name: time.isoformat() for name, time in times.items()}
            | rest,
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


# What has happened in the database before the first example of a page; of all others, nothing.
PREPARATIONS: dict[str, Callable[[Connection], None]] = {
    "docs/alerts.md": prepare_alerts,
    "docs/architecture.md": prepare_architecture,
    "docs/monitoring.md": prepare_monitoring,
    "docs/operations.md": prepare_operations,
    "docs/recharge.md": prepare_recharge,
    "docs/reconciliation.md": prepare_reconciliation,
    "docs/security.md": prepare_security,
    "docs/stripe.md": prepare_stripe,
}


@pytest.mark.parametrize("document", PAGES)
def test_the_examples(
    document: str,
    database: str,
    server: DatabaseServer,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every example of a page is run, in its order, and its answer compared.

    It runs as service_role, or as a superuser where the block is marked `sql superuser`.
    """
    if prepare := PREPARATIONS.get(document):
        prepare(connection)
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


async def test_the_reconciliation_of_the_documentation(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    """Vapi has forty calls of yesterday, and told of all but two."""
    (example,) = [
        block
        for block in examples("docs/reconciliation.md", "text")
        if block.code.startswith("$ wallet reconcile")
    ]
    command, *documented = example.code.splitlines()
    yesterday = days_ago(1)
    org_id = open_wallet(connection, balance_pence=100_00)
    async with running_test_sandbox() as sandbox:
        told = await take_place(sandbox, org_id, yesterday, 38)
        await take_place(sandbox, org_id, yesterday, 2)
        for vapi_call_id in told:
            report_call(connection, org_id, yesterday, vapi_call_id)
        environment = {"DATABASE_URL": database, **vapi_at(sandbox)}
        arguments = shlex.split(command.removeprefix("$ wallet "))
        done = await asyncio.to_thread(wallet, tmp_path, *arguments, **environment)
    assert done.stdout.splitlines() == [
        re.sub(r"^\d{4}-\d\d-\d\d", yesterday.date().isoformat(), line) for line in documented
    ]


def test_the_failures_of_the_documentation(
    database: str, connection: Connection, tmp_path: Path
) -> None:
    (documented,) = [
        block
        for block in examples("docs/operations.md", "text")
        if block.code.startswith("$ wallet failures")
    ]
    prepare_operations(connection)
    done = wallet(tmp_path, "failures", DATABASE_URL=database)
    command, _, answer = documented.code.partition("\n")
    example = replace(documented, code=command, answer=answer)
    as_typed = done.stdout.replace(shlex.join([sys.executable, "-m", "service"]), "wallet")
    Comparison(command).check(example, as_typed)


async def test_the_request_of_the_documentation_for_a_reconciliation(
    database: str, connection: Connection
) -> None:
    (example,) = [
        block for block in examples("docs/reconciliation.md", "sh") if "trigger" in block.code
    ]
    request = read_curl(example.code, TOKEN)
    # The day of the example may lie in the future, for this machine.
    body = json.dumps(json.loads(request.body or "") | {"date": days_ago(1).date().isoformat()})
    documented = json.loads(example.answer or "")
    async with (
        running_service(database, api_token=TOKEN) as service,
        service.client.post(
            service.url + request.path, data=body, headers=request.headers
        ) as response,
    ):
        answer = await response.json()
    assert response.status == HTTPStatus.ACCEPTED, answer
    assert answer.keys() == documented.keys()
    plain = ("success", "status", "already_due")
    assert [answer[key] for key in plain] == [documented[key] for key in plain]


async def test_the_receiver_of_the_documentation_knows_our_alerts() -> None:
    (example,) = examples("docs/alerts.md", "python")
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

    documented = table_of_keys("docs/alerts.md", '{"id": "…", "type"')
    assert list(alert) == documented
    for headers, body in (
        (delivery.headers, delivery.body + b" "),
        (delivery.headers | {"webhook-id": "another"}, delivery.body),
        (delivery.headers | {"webhook-timestamp": "1"}, delivery.body),
    ):
        with pytest.raises(ValueError, match=r"signed|old"):
            read_alert(ALERT_SECRET, headers, body)


def test_each_function_of_a_backend_is_documented(connection: Connection) -> None:
    text = "\n".join(map(read, PAGES))
    named = set(re.findall(r"\w+", text))
    assert functions_of(connection, "service_role") - named == set()


def test_each_function_of_a_backend_has_an_example(connection: Connection) -> None:
    """Of those that write, at least: a reader shall see a real answer of each."""
    code = "\n".join(example.code for page in PAGES for example in examples(page, "sql", "python"))
    writing = connection.execute(
        """
        select proname from pg_proc
         where pronamespace = 'wallet'::regnamespace and prosecdef
           and has_function_privilege('service_role', oid, 'execute')
        """
    )
    requested = codes(table("docs/monitoring.md", "Ask the service"), 2)
    assert [
        name for (name,) in writing if f"wallet.{name}(" not in code and name not in requested
    ] == []
