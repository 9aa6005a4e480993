"""Vapi's reports over HTTP, against a real database: one call is one charge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from psycopg.sql import SQL, Identifier
from structlog.testing import capture_logs

from ..http.app import STRIPE_WEBHOOK_PATH, VAPI_WEBHOOK_PATH
from ..http.body import MAX_BODY_BYTES
from ..http.vapi import MAX_REPORT_BYTES
from ..json_text import storable
from ..sandbox.vapi_calls import NewCall, end_of_call_report
from .services import (
    Answer,
    Service,
    balance,
    exchange,
    locked_wallet,
    open_wallet,
    running_service,
    wait_for_lock,
)

Connection = psycopg.Connection[Any]

OLD_SECRET = "the-old-secret-of-the-tests"
SECRET = "the-new-secret-of-the-tests"
SIGNED = {"X-Vapi-Secret": SECRET}


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_service(
        database, vapi_webhook_secret=f"{OLD_SECRET}, {SECRET}", request_timeout_seconds=1
    ) as service:
        yield service


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def report(org_id: UUID | None, call_id: str = "call-1", seconds: float | None = 91) -> Any:
    """What Vapi sends when a call that a backend of ours has started is over."""
    call = NewCall(
        id=f"vapi-{call_id}",
        org_id=str(org_id) if org_id else None,
        call_id=call_id,
        duration_seconds=seconds,
        assistant_id=None,
        phone_number_id=None,
    ).build(datetime.now(UTC))
    return end_of_call_report(call, datetime.now(UTC))


async def deliver(
    service: Service, message: Any, headers: dict[str, str] | CIMultiDict[str] | None = None
) -> Answer:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return await service.send(VAPI_WEBHOOK_PATH, body, SIGNED if headers is None else headers)


def calls(connection: Connection) -> list[tuple[Any, ...]]:
    """Every call: its id, its duration, what it costs, and what it still owes."""
    return connection.execute(
        """
        select call_id, duration_seconds, cost_pence, owed_pence from wallet.calls
         order by call_id
        """
    ).fetchall()


def unbilled(connection: Connection) -> list[tuple[Any, ...]]:
    """Every call that could not be billed, and whether it was later."""
    return connection.execute(
        "select vapi_call_id, billed_at is not null from wallet.unbilled_calls"
    ).fetchall()


def entries(connection: Connection, org_id: UUID) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        select type, amount_pence, idempotency_key from wallet.credit_transactions
         where org_id = %s and direction = 'debit' order by entry_number
        """,
        [org_id],
    ).fetchall()


def assert_refused(answer: Answer, outcome: str) -> None:
    assert answer.outcome == outcome
    assert set(answer.body) == {"error", "message"}
    assert len(json.dumps(answer.body)) < 250


async def test_a_call_of_91_seconds_costs_85_pence(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)

    answer = await deliver(service, report(org_id))

    assert answer.status == 200
    assert answer.body == {"outcome": "processed", "call_id": "call-1"}
    assert balance(connection, org_id) == 9_15
    assert calls(connection) == [("call-1", 91, 85, 0)]
    assert entries(connection, org_id) == [("call_deduction", 85, "call:call-1")]


async def test_a_report_that_comes_again_charges_nothing(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    message = report(org_id)

    outcomes = [(await deliver(service, message)).outcome for _ in range(3)]

    assert outcomes == ["200 processed", "200 duplicate", "200 duplicate"]
    assert balance(connection, org_id) == 9_15


async def test_sixteen_reports_of_one_call_at_once_are_one_charge(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    message = report(org_id)

    answers = await asyncio.gather(*(deliver(service, message) for _ in range(16)))

    assert sorted(answer.outcome for answer in answers) == ["200 duplicate"] * 15 + [
        "200 processed"
    ]
    assert balance(connection, org_id) == 9_15


@pytest.mark.parametrize("seconds", [0, None], ids=["no time", "nobody took it"])
async def test_a_call_without_duration_is_recorded_and_costs_nothing(
    service: Service, connection: Connection, seconds: float | None
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    assert (await deliver(service, report(org_id, seconds=seconds))).outcome == "200 processed"
    assert calls(connection) == [("call-1", 0, 0, 0)]
    assert balance(connection, org_id) == 10_00


async def test_the_end_of_a_call_ends_its_reservation(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    connection.execute("select wallet.reserve_call_credits(%s, 'call-1', 'vapi-call-1')", [org_id])
    message = report(None)

    assert (await deliver(service, message)).outcome == "200 processed"
    assert balance(connection, org_id) == 9_15
    [(status, reserved)] = connection.execute(
        """
        select r.status, o.reserved_pence
          from wallet.credit_reservations as r join wallet.organizations as o on o.id = r.org_id
        """
    ).fetchall()
    assert (status, reserved) == ("committed", 0)


async def test_a_call_beyond_the_debt_limit_is_stored_with_what_it_owes(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection)

    answer = await deliver(service, report(org_id, seconds=1000))

    assert answer.outcome == "200 processed"
    assert balance(connection, org_id) == -5_00
    [(_, _, cost, owed)] = calls(connection)
    assert owed == cost - 5_00 > 0


async def test_a_call_that_nobody_can_be_charged_for_is_500_and_not_lost(
    service: Service, connection: Connection
) -> None:
    org_id = uuid4()
    message = report(org_id)

    for _ in range(2):
        assert_refused(await deliver(service, message), "500 organization_not_found")
    assert unbilled(connection) == [("vapi-call-1", False)]

    open_wallet(connection, org_id=org_id, balance_pence=10_00)
    assert (await deliver(service, message)).outcome == "200 processed"
    assert (await deliver(service, message)).outcome == "200 duplicate"
    assert unbilled(connection) == [("vapi-call-1", True)]
    assert balance(connection, org_id) == 9_15


async def test_200_is_answered_before_the_work_is_done(
    service: Service, connection: Connection, connect: Callable[..., Connection]
) -> None:
    """Peer bug 3: helix#3240."""
    org_id = open_wallet(connection, balance_pence=10_00)
    message = report(org_id)

    with locked_wallet(connect(), org_id):
        delivery = asyncio.create_task(deliver(service, message))
        waiting_session = await wait_for_lock(connection)
        assert not delivery.done()
        connection.execute("select pg_cancel_backend(%s)", [waiting_session])
        answer = await delivery
    assert answer.status >= 500
    assert calls(connection) == []

    assert (await deliver(service, message)).outcome == "200 processed"
    assert balance(connection, org_id) == 9_15


@pytest.mark.parametrize(
    "kind", ["status-update", "transcript", "conversation-update", "hang", "tool-calls"]
)
async def test_other_messages_of_vapi_are_taken_and_ignored(
    service: Service, connection: Connection, kind: str
) -> None:
    message = report(open_wallet(connection))
    message["message"]["type"] = kind
    assert (await deliver(service, message)).outcome == "200 ignored"
    assert calls(connection) == unbilled(connection) == []


KNOWN = {
    "the new secret": [("X-Vapi-Secret", SECRET)],
    "the old secret": [("X-Vapi-Secret", OLD_SECRET)],
    "as a bearer token": [("Authorization", f"Bearer {SECRET}")],
    "the old one as a bearer token": [("Authorization", f"Bearer {OLD_SECRET}")],
    "beside the token of a proxy": [
        ("X-Vapi-Secret", SECRET),
        ("Authorization", "Bearer of-the-proxy"),
    ],
}


@pytest.mark.parametrize("headers", KNOWN.values(), ids=KNOWN.keys())
async def test_vapi_is_known_by_the_secret(
    service: Service, connection: Connection, headers: list[tuple[str, str]]
) -> None:
    message = report(open_wallet(connection))
    assert (await deliver(service, message, CIMultiDict(headers))).outcome == "200 processed"


UNKNOWN = {
    "nothing": [],
    "blank": [("X-Vapi-Secret", "")],
    "another": [("X-Vapi-Secret", "x" * len(SECRET))],
    "too short": [("X-Vapi-Secret", SECRET[:-1])],
    "too long": [("X-Vapi-Secret", SECRET + "x")],
    "both of the setting": [("X-Vapi-Secret", f"{OLD_SECRET}, {SECRET}")],
    "twice": [("X-Vapi-Secret", SECRET)] * 2,
    "right and wrong": [("X-Vapi-Secret", SECRET), ("X-Vapi-Secret", "x")],
    "not ASCII": [("X-Vapi-Secret", f"{SECRET}é")],
    "with a prefix": [("X-Vapi-Secret", f"Bearer {SECRET}")],
    "without a prefix": [("Authorization", SECRET)],
    "another scheme": [("Authorization", f"Basic {SECRET}")],
    "a wrong token": [("Authorization", f"Bearer {SECRET}x")],
    "two tokens": [("Authorization", f"Bearer {SECRET}")] * 2,
    "a wrong one beside a right token": [
        ("X-Vapi-Secret", "x"),
        ("Authorization", f"Bearer {SECRET}"),
    ],
    "Stripe's secret": [("X-Vapi-Secret", "whsec_of_the_tests")],
}


@pytest.mark.parametrize("headers", UNKNOWN.values(), ids=UNKNOWN.keys())
async def test_who_does_not_know_the_secret_reports_nothing(
    service: Service, connection: Connection, headers: list[tuple[str, str]]
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    answer = await deliver(service, report(org_id), CIMultiDict(headers))
    assert_refused(answer, "401 unauthorized")
    assert calls(connection) == unbilled(connection) == []
    assert balance(connection, org_id) == 10_00


async def test_a_secret_that_is_not_even_text_is_refused(service: Service) -> None:
    for header in (b"X-Vapi-Secret: ", b"Authorization: Bearer "):
        secret = header + SECRET.encode()
        assert (await exchange(service, request_head(secret))).outcome == "400 incomplete_body"
        for wrong in (secret + b"\xff", header + b"\xff" * len(SECRET)):
            assert_refused(await exchange(service, request_head(wrong)), "401 unauthorized")


async def test_a_stranger_is_refused_before_anything_of_the_body_is_read(service: Service) -> None:
    answer = await exchange(service, request_head(b"X-Vapi-Secret: x"))
    assert_refused(answer, "401 unauthorized")


def request_head(header: bytes) -> bytes:
    """The beginning of a request whose body never comes."""
    head = f"POST {VAPI_WEBHOOK_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n"
    return head.encode() + header + b"\r\n\r\n"


async def test_a_refusal_says_which_credential_is_wanted(service: Service) -> None:
    async with service.client.post(service.url + VAPI_WEBHOOK_PATH) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_without_a_secret_nobody_reports(database: str) -> None:
    async with running_service(database) as service:
        answer = await deliver(service, report(uuid4()))
    assert_refused(answer, "503 not_configured")
    assert "VAPI_WEBHOOK_SECRET" in answer.body["message"]


def changed(**fields: Any) -> bytes:
    """A report with other fields, or without those that are `...`."""
    message = report(uuid4())["message"] | fields
    kept = {name: value for name, value in message.items() if value is not ...}
    return json.dumps({"message": kept}).encode()


BODY = changed()

UNUSABLE = {
    "nothing": (b"", "400 invalid_json"),
    "not UTF-8": (BODY.replace(b"Riley", b"\xff\xfe"), "400 not_utf8"),
    "UTF-16": (BODY.decode().encode("utf-16"), "400 not_utf8"),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, "400 invalid_json"),
    "cut off": (BODY[:-20], "400 invalid_json"),
    "two reports": (BODY + BODY, "400 invalid_json"),
    "a form": (b"message=end-of-call-report", "400 invalid_json"),
    "NaN": (changed(cost=float("nan")), "400 invalid_json"),
    "a null character": (BODY.replace(b"Riley", b"\x00"), "400 invalid_json"),
    "an endless number": (
        BODY.replace(b'"cost": ', b'"cost": 1e999999, "x": '),
        "400 invalid_json",
    ),
    "nested 100,000 deep": (
        BODY.replace(
            b'{"message"', b'{"deep": ' + b"[" * 100_000 + b"]" * 100_000 + b', "message"'
        ),
        "400 invalid_json",
    ),
    "null": (b"null", "400 invalid_report"),
    "an array": (b"[]", "400 invalid_report"),
    "a string": (b'"end-of-call-report"', "400 invalid_report"),
    "an empty object": (b"{}", "400 invalid_report"),
    "no message in it": (b'{"message": null}', "400 invalid_report"),
    "no call": (changed(call=...), "400 invalid_report"),
    "an array as call": (changed(call=[]), "400 invalid_report"),
    "a call without id": (changed(call={}), "400 invalid_report"),
    "a number as id": (changed(call={"id": 5}), "400 invalid_report"),
    "a blank id": (changed(call={"id": " "}), "400 invalid_report"),
    "an endless id": (changed(call={"id": "x" * 10_000}), "400 invalid_report"),
    "an end that is no time": (changed(endedAt="soon"), "400 invalid_report"),
    "an end before the start": (changed(endedAt="2001-01-01T00:00:00Z"), "400 invalid_report"),
    "one byte too many": (
        b" " * (MAX_REPORT_BYTES + 1 - len(BODY)) + BODY,
        "413 body_too_large",
    ),
}


@pytest.mark.parametrize(("body", "outcome"), UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_what_is_no_report_is_refused_and_not_kept(
    service: Service, connection: Connection, body: bytes, outcome: str
) -> None:
    assert_refused(await deliver(service, body), outcome)
    assert calls(connection) == unbilled(connection) == []
    assert (await service.health()).status == 200


async def test_a_refusal_names_the_field(service: Service) -> None:
    answer = await deliver(service, changed(endedAt="soon"))
    assert "endedAt" in answer.body["message"]


async def test_a_long_conversation_is_taken(service: Service, connection: Connection) -> None:
    """Two mebibytes of it, on this path alone."""
    org_id = open_wallet(connection, balance_pence=10_00)
    body = json.dumps(report(org_id)).encode()
    body = body.replace(b"Riley", b"R" + b"i" * (MAX_REPORT_BYTES - len(body)) + b"ley", 1)
    body += b" " * (MAX_REPORT_BYTES - len(body))

    assert (await deliver(service, body)).outcome == "200 processed"
    for path in (STRIPE_WEBHOOK_PATH, VAPI_WEBHOOK_PATH):
        large = b" " * ((MAX_REPORT_BYTES if path == VAPI_WEBHOOK_PATH else MAX_BODY_BYTES) + 1)
        assert_refused(await service.send(path, large, SIGNED), "413 body_too_large")
        assert_refused(await service.send(path, pieces(large), SIGNED), "413 body_too_large")


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """A body whose length isn't told beforehand."""
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


UNSTORABLE = {
    "a null character": "\x00",
    "half an emoji": "\ud83d",
    "its other half": "\ude00",
    "halves in the wrong order": "\ude00\ud83d",
    "one half twice": "\ud83d\ud83d\ude00",
}


@pytest.mark.parametrize("text", UNSTORABLE.values(), ids=UNSTORABLE.keys())
async def test_a_conversation_that_jsonb_refuses_makes_no_call_free(
    service: Service, connection: Connection, text: str
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)
    message = report(org_id)
    message["message"]["transcript"] = f"AI: hello {text}"
    assert (await deliver(service, message)).outcome == "200 processed"
    assert balance(connection, org_id) == 9_15


@given(text=st.text(st.characters() | st.sampled_from('\0\ud83d\ude00\\u"')))
def test_text_that_jsonb_refuses_becomes_the_replacement_character(text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    expected = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
    assert json.loads(storable(json.dumps({text: [text]}))) == {expected: [expected]}


async def test_the_log_line_names_the_call_and_the_money_and_nothing_of_what_was_said(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=10_00)

    with capture_logs() as lines:
        await deliver(service, report(org_id))

    [line] = lines
    assert line.pop("durationMs") >= 0
    assert line == {
        "log_level": "info",
        "event": "request",
        "method": "POST",
        "path": VAPI_WEBHOOK_PATH,
        "status": 200,
        "callId": "call-1",
        "vapiCallId": "vapi-call-1",
        "orgId": str(org_id),
        "outcome": "processed",
        "duplicate": False,
        "amountPence": 85,
        "owedPence": 0,
        "balanceBefore": 10_00,
        "balanceAfter": 9_15,
    }


async def test_nothing_that_was_said_is_kept(service: Service, connection: Connection) -> None:
    await deliver(service, report(open_wallet(connection)))
    await deliver(service, report(uuid4(), "call-2"))

    tables = connection.execute("select tablename from pg_tables where schemaname = 'wallet'")
    everything = ""
    for (table,) in tables.fetchall():
        rows = connection.execute(
            SQL("select t::text from wallet.{} as t").format(Identifier(table))
        )
        everything += str(rows.fetchall())
    assert "vapi-call-1" in everything
    assert "vapi-call-2" in everything
    for said in ("Riley", "appointment", "020 7946", "+442079460018"):
        assert said not in everything
