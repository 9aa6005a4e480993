"""Twilio's status callbacks over HTTP: signed by Twilio, and a failed message paid back once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict, MultiDict
from structlog.testing import capture_logs

from ..http.answers import Refusal
from ..http.app import TWILIO_WEBHOOK_PATH
from ..http.body import MAX_BODY_BYTES
from ..http.twilio import MAX_FIELDS, authenticate, read_form
from .services import (
    Answer,
    Service,
    balance,
    locked_wallet,
    open_wallet,
    running_service,
    wait_for_lock,
)

Connection = psycopg.Connection[Any]
Fields = Mapping[str, str] | Sequence[tuple[str, str]]

OLD_TOKEN = "0123456789abcdef0123456789abcdef"
TOKEN = "fedcba9876543210fedcba9876543210"
PUBLIC_URL = "https://pay.example.com"
SID = "SM00000000000000000000000000000001"


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    settings = {"twilio_auth_token": f"{OLD_TOKEN},{TOKEN}", "public_url": PUBLIC_URL}
    async with running_service(database, **settings) as service:
        yield service


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    """A wallet that has paid 4 p for the message `message-1`."""
    org_id = open_wallet(connection, balance_pence=1_00)
    connection.execute("select wallet.charge_sms(%s, 'message-1')", [org_id])
    assert balance(connection, org_id) == 96
    return org_id


def sign(url: str, fields: Fields, token: str = TOKEN) -> str:
    """The `X-Twilio-Signature` header, as Twilio's documentation defines it.

    www.twilio.com/docs/usage/security, rather than by the package that the service verifies with.
    """
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    signed = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), hashlib.sha1)).decode()


def callback(status: str, **fields: str) -> dict[str, str]:
    """The fields that Twilio sends; those that aren't ours included."""
    return {
        "ApiVersion": "2010-04-01",
        "AccountSid": "AC00000000000000000000000000000000",
        "MessageSid": SID,
        "MessageStatus": status,
        "SmsSid": SID,
        "SmsStatus": status,
        "To": "+447700900123",
        "From": "+447700900456",
        "MessagingServiceSid": "",
        **fields,
    }


def path(org_id: UUID | None = None, message_id: str = "message-1") -> str:
    query = {"org_id": str(org_id), "message_id": message_id}
    return f"{TWILIO_WEBHOOK_PATH}?{urlencode(query)}" if org_id else TWILIO_WEBHOOK_PATH


async def deliver(
    service: Service,
    path: str,
    fields: Fields,
    *,
    base: str = PUBLIC_URL,
    token: str = TOKEN,
    signature: str | None = None,
) -> Answer:
    """Send a callback as Twilio does."""
    header = sign(base + path, fields, token) if signature is None else signature
    body = urlencode(fields if isinstance(fields, Mapping) else list(fields)).encode()
    return await post(service, path, body, header)


async def post(service: Service, path: str, body: bytes, *signatures: str) -> Answer:
    headers = CIMultiDict(("X-Twilio-Signature", signature) for signature in signatures)
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    return await service.send(path, body, headers)


def statuses(connection: Connection) -> list[tuple[Any, ...]]:
    """How far each message came, and whether its charge was given back."""
    return connection.execute(
        """
        select message_id, status, error_code, refund_transaction_id is not null
          from wallet.sms_messages order by message_id
        """
    ).fetchall()


def parked(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("select twilio_sid, status from wallet.sms_callbacks").fetchall()


def assert_refused(answer: Answer, outcome: str) -> None:
    assert answer.outcome == outcome
    assert set(answer.body) == {"error", "message"}
    assert len(json.dumps(answer.body)) < 250


async def test_a_message_that_failed_gives_its_charge_back_once(
    service: Service, connection: Connection, org_id: UUID
) -> None:
    answer = await deliver(service, path(org_id), callback("sent"))
    assert (answer.status, answer.body) == (
        200,
        {"outcome": "processed", "message_id": "message-1"},
    )
    assert balance(connection, org_id) == 96

    failed = callback("undelivered", ErrorCode="30003")
    outcomes = [(await deliver(service, path(org_id), failed)).outcome for _ in range(3)]

    assert outcomes == ["200 processed", "200 duplicate", "200 duplicate"]
    assert balance(connection, org_id) == 1_00
    assert statuses(connection) == [("message-1", "undelivered", "30003", True)]


async def test_sixteen_callbacks_at_once_give_it_back_once(
    service: Service, connection: Connection, org_id: UUID
) -> None:
    answers = await asyncio.gather(
        *(deliver(service, path(org_id), callback("failed")) for _ in range(16))
    )
    assert sorted(answer.outcome for answer in answers) == ["200 duplicate"] * 15 + [
        "200 processed"
    ]
    assert balance(connection, org_id) == 1_00


async def test_callbacks_that_overtake_each_other_are_harmless(
    service: Service, connection: Connection, org_id: UUID
) -> None:
    assert (await deliver(service, path(org_id), callback("delivered"))).status == 200
    for late in ("queued", "sent", "failed"):
        assert (await deliver(service, path(org_id), callback(late))).outcome == "200 ignored"
    assert statuses(connection) == [("message-1", "delivered", None, False)]
    assert balance(connection, org_id) == 96


async def test_a_callback_that_comes_before_the_charge_waits_for_it(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=1_00)
    assert (await deliver(service, path(), callback("failed"))).outcome == "200 pending"
    assert parked(connection) == [(SID, "failed")]

    connection.execute("select wallet.charge_sms(%s, 'm', p_twilio_sid => %s)", [org_id, SID])
    assert balance(connection, org_id) == 1_00
    assert statuses(connection) == [("m", "failed", None, True)]


@pytest.mark.parametrize("status", ["received", "receiving", "something-new"])
async def test_what_is_no_status_of_a_message_that_goes_out_is_ignored(
    service: Service, connection: Connection, org_id: UUID, status: str
) -> None:
    assert (await deliver(service, path(org_id), callback(status))).outcome == "200 ignored"
    assert statuses(connection) == [("message-1", None, None, False)]


def test_the_example_of_twilio_s_documentation_passes() -> None:
    form = read_form(
        b"CallSid=CA1234567890ABCDE&Caller=%2B12349013030&Digits=1234"
        b"&From=%2B12349013030&To=%2B18005551212"
    )
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    authenticate(url, form, ["0/KCTR6DLpKmkAf8muzZqo1nDgQ="], ("12345",))


async def test_two_tokens_are_known_while_one_is_replaced(service: Service, org_id: UUID) -> None:
    sent, delivered = callback("sent"), callback("delivered")
    assert (await deliver(service, path(org_id), sent, token=OLD_TOKEN)).status == 200
    assert (await deliver(service, path(org_id), delivered)).outcome == "200 processed"


ORG_ID = UUID("4f4c4b43-2b1a-4d5e-8f60-718293a4b5c6")
FAILED = callback("failed")
SIGNATURE = sign(PUBLIC_URL + path(ORG_ID), FAILED)

UNSIGNED = {
    "blank": "",
    "another token": sign(PUBLIC_URL + path(ORG_ID), FAILED, "x" * 32),
    "another status": sign(PUBLIC_URL + path(ORG_ID), callback("sent")),
    "fewer fields": sign(PUBLIC_URL + path(ORG_ID), {"MessageSid": SID}),
    "one field more": sign(PUBLIC_URL + path(ORG_ID), callback("failed", ErrorCode="1")),
    "another organization": sign(PUBLIC_URL + path(uuid4()), FAILED),
    "another message": sign(PUBLIC_URL + path(ORG_ID, "message-2"), FAILED),
    "no query": sign(PUBLIC_URL + path(), FAILED),
    "another host": sign("https://pay.example.org" + path(ORG_ID), FAILED),
    "another scheme": sign("http://pay.example.com" + path(ORG_ID), FAILED),
    "another path": sign(f"{PUBLIC_URL}/api/webhooks/twilio?{path(ORG_ID)[34:]}", FAILED),
    "the URL alone": sign(PUBLIC_URL + path(ORG_ID), {}),
    "truncated": SIGNATURE[:-1],
    "of another case": SIGNATURE.swapcase(),
    "not ASCII": SIGNATURE[:-1] + "é",
    "endless": SIGNATURE * 200,
}


@pytest.mark.parametrize("signature", UNSIGNED.values(), ids=UNSIGNED.keys())
async def test_what_twilio_has_not_signed_is_refused(
    service: Service, connection: Connection, signature: str
) -> None:
    open_wallet(connection, org_id=ORG_ID, balance_pence=1_00)
    connection.execute("select wallet.charge_sms(%s, 'message-1')", [ORG_ID])

    answer = await deliver(service, path(ORG_ID), FAILED, signature=signature)
    assert_refused(answer, "400 invalid_signature")
    assert statuses(connection) == [("message-1", None, None, False)]
    assert parked(connection) == []
    assert (await deliver(service, path(ORG_ID), FAILED)).outcome == "200 processed"


@pytest.mark.parametrize("count", [0, 2])
async def test_there_is_one_signature(service: Service, connection: Connection, count: int) -> None:
    signature = sign(PUBLIC_URL + path(), FAILED)
    answer = await post(service, path(), urlencode(FAILED).encode(), *[signature] * count)
    assert_refused(answer, "400 invalid_signature")
    assert parked(connection) == []


async def test_a_signed_callback_counts_for_no_other_message(
    service: Service, connection: Connection, org_id: UUID
) -> None:
    """Replayed where it was sent it changes nothing, and elsewhere it isn't signed."""
    connection.execute("select wallet.charge_sms(%s, 'message-2')", [org_id])
    signature = sign(PUBLIC_URL + path(org_id), FAILED)
    paths = [path(org_id), path(org_id), path(org_id, "message-2"), path()]

    answers = [await deliver(service, where, FAILED, signature=signature) for where in paths]

    assert [answer.outcome for answer in answers] == [
        "200 processed",
        "200 duplicate",
        "400 invalid_signature",
        "400 invalid_signature",
    ]
    assert balance(connection, org_id) == 96


async def test_the_url_is_signed_as_it_was_called(service: Service, connection: Connection) -> None:
    """However it is escaped, and with parameters that are none of ours."""
    org_id = open_wallet(connection, balance_pence=1_00)
    for message_id in ("O'Hara's", "a+b c", "50%", "é@x:y", "a=b&c"):
        connection.execute("select wallet.charge_sms(%s, %s)", [org_id, message_id])
        for safe in ("", "'@:=", "/'@:!$,"):
            escaped = quote(message_id, safe=safe)
            where = f"{TWILIO_WEBHOOK_PATH}?x=%7e&blank=&org_id={org_id}&message_id={escaped}"
            answer = await deliver(service, where, callback("sent", MessageSid=f"SM{message_id}"))
            assert answer.status == 200, where
            assert answer.body["message_id"] == message_id
    assert parked(connection) == []


@pytest.mark.parametrize(
    ("public_url", "signed"),
    [
        (PUBLIC_URL, PUBLIC_URL),
        (PUBLIC_URL + "/", PUBLIC_URL),
        (PUBLIC_URL, PUBLIC_URL + ":443"),
        (PUBLIC_URL + ":443", PUBLIC_URL),
        ("http://pay.example.com", "http://pay.example.com:80"),
        (PUBLIC_URL + ":8443", PUBLIC_URL + ":8443"),
        (PUBLIC_URL + "/wallet/", PUBLIC_URL + "/wallet"),
        (None, None),
    ],
)
async def test_the_signed_url_is_the_public_one(
    database: str, public_url: str | None, signed: str | None
) -> None:
    """Twilio leaves a standard port out or not; without a proxy the service is called itself."""
    settings = {"public_url": public_url} if public_url else {}
    async with running_service(database, twilio_auth_token=TOKEN, **settings) as service:
        answer = await deliver(service, path(), callback("sent"), base=signed or service.url)
        assert answer.outcome == "200 pending"
        for base in ("https://pay.example.net", service.url + ":1", "https://[::1"):
            answer = await deliver(service, path(), callback("sent"), base=base)
            assert answer.outcome == "400 invalid_signature"


@pytest.mark.parametrize("host", ["x:y", "[::1", "localhost:99999", "h\xf6st", ""])
async def test_a_host_that_is_none_was_called_by_nobody(database: str, host: str) -> None:
    async with running_service(database, twilio_auth_token=TOKEN) as service:
        headers = {"Host": host, "X-Twilio-Signature": SIGNATURE}
        answer = await service.send(path(), urlencode(FAILED).encode(), headers)
    assert answer.status == 400


async def test_fields_may_be_blank_and_may_be_repeated(
    service: Service, connection: Connection, org_id: UUID
) -> None:
    fields = [
        *callback("sent", ErrorMessage="", Body="€ & = + %").items(),
        ("Tag", "b"),
        ("Tag", "a"),
        ("Tag", "a"),
        ("", "nameless"),
    ]
    assert (await deliver(service, path(org_id), fields)).outcome == "200 processed"
    assert statuses(connection) == [("message-1", "sent", None, False)]


def signed_body(body: bytes) -> str:
    fields = list(read_form(body).items())
    return sign(PUBLIC_URL + path(), fields)


NOT_A_CALLBACK = {
    "nothing": (b"", "400 invalid_callback"),
    "JSON": (json.dumps(FAILED).encode(), "400 invalid_callback"),
    "several parts": (
        b'--x\r\nContent-Disposition: form-data; name="MessageSid"\r\n\r\nSM1\r\n--x--\r\n',
        "400 invalid_callback",
    ),
    "names alone": (b"MessageSid&MessageStatus", "400 invalid_callback"),
    "no sid": (b"MessageStatus=sent", "400 invalid_callback"),
    "no status": (b"MessageSid=SM1", "400 invalid_callback"),
    "a blank sid": (b"MessageSid=+&MessageStatus=sent", "400 invalid_callback"),
    "an endless sid": (
        b"MessageSid=" + b"x" * 1000 + b"&MessageStatus=sent",
        "400 invalid_callback",
    ),
    "a null character": (b"MessageSid=SM%00&MessageStatus=sent", "400 invalid_callback"),
}


@pytest.mark.parametrize(("body", "outcome"), NOT_A_CALLBACK.values(), ids=NOT_A_CALLBACK.keys())
async def test_what_is_signed_and_no_callback_is_refused(
    service: Service, connection: Connection, body: bytes, outcome: str
) -> None:
    assert_refused(await post(service, path(), body, signed_body(body)), outcome)
    assert parked(connection) == []


@pytest.mark.parametrize(
    "query",
    ["org_id=acme&message_id=m", f"org_id={ORG_ID}", "message_id=m", "org_id=%00&message_id=%00"],
)
async def test_a_url_that_names_no_message_is_refused(
    service: Service, connection: Connection, query: str
) -> None:
    answer = await deliver(service, f"{TWILIO_WEBHOOK_PATH}?{query}", FAILED)
    assert_refused(answer, "400 invalid_callback")
    assert parked(connection) == []


NOT_A_FORM = {
    "not UTF-8": (b"MessageSid=\xff", "400 not_utf8"),
    "escaped, and not UTF-8": (b"MessageSid=%ff", "400 invalid_form"),
    "half a surrogate pair": (b"MessageSid=%ed%a0%80", "400 invalid_form"),
    "too many fields": (b"&".join([b"a=b"] * (MAX_FIELDS + 1)), "400 invalid_form"),
    "a hundred thousand fields": (b"&".join([b"a"] * 100_000), "400 invalid_form"),
    "one byte too many": (b"a=" + b"b" * (MAX_BODY_BYTES - 1), "413 body_too_large"),
}


@pytest.mark.parametrize(("body", "outcome"), NOT_A_FORM.values(), ids=NOT_A_FORM.keys())
async def test_what_is_no_form_is_refused(
    service: Service, connection: Connection, body: bytes, outcome: str
) -> None:
    assert_refused(await post(service, path(), body, SIGNATURE), outcome)
    assert parked(connection) == []
    assert (await service.health()).status == 200


async def test_200_is_answered_before_the_work_is_done(
    service: Service, connection: Connection, connect: Callable[..., Connection], org_id: UUID
) -> None:
    """Peer bug 3: helix#3240."""
    with locked_wallet(connect(), org_id):
        delivery = asyncio.create_task(deliver(service, path(org_id), FAILED))
        waiting_session = await wait_for_lock(connection)
        assert not delivery.done()
        connection.execute("select pg_cancel_backend(%s)", [waiting_session])
        assert (await delivery).outcome == "503 database_unavailable"
    assert statuses(connection) == [("message-1", None, None, False)]

    assert (await deliver(service, path(org_id), FAILED)).outcome == "200 processed"
    assert balance(connection, org_id) == 1_00


async def test_without_a_token_nobody_reports(database: str) -> None:
    async with running_service(database) as service:
        answer = await deliver(service, path(), FAILED)
    assert_refused(answer, "503 not_configured")
    assert "TWILIO_AUTH_TOKEN" in answer.body["message"]


async def test_the_log_line_names_the_message_and_nobody_s_number(
    service: Service, org_id: UUID
) -> None:
    with capture_logs() as lines:
        await deliver(service, path(org_id), FAILED)

    [line] = lines
    assert (line["path"], line["outcome"]) == (TWILIO_WEBHOOK_PATH, "processed")
    assert (line["orgId"], line["messageId"]) == (str(org_id), "message-1")
    for hidden in ("+447700900123", "+447700900456", TOKEN, SIGNATURE):
        assert hidden not in str(lines)


form_like = st.dictionaries(st.text(), st.text(), max_size=5)


@given(form=form_like, header=st.text(st.characters()), url=st.text(st.characters()))
def test_no_forgery_passes_the_verifier_or_breaks_it(
    form: dict[str, str], header: str, url: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        authenticate(PUBLIC_URL + url, MultiDict(form), [header], (OLD_TOKEN, TOKEN))
    assert refusal.value.status == 400


@given(fields=st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_any_form_that_is_signed_passes_the_verifier(fields: list[tuple[str, str]]) -> None:
    form = read_form(urlencode(fields).encode())
    assume(list(form.items()) == fields)
    authenticate(PUBLIC_URL, form, [sign(PUBLIC_URL, fields)], (OLD_TOKEN, TOKEN))
