"""Whatever is thrown at the webhook: 400 or 413 in short JSON, nothing written, service alive."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from multidict import CIMultiDict

from ..http.answers import Refusal
from ..http.body import MAX_BODY_BYTES
from ..http.stripe import authenticate
from ..sandbox import events
from .services import (
    WHSEC,
    Answer,
    Service,
    balance,
    exchange,
    open_wallet,
    running_service,
    stored_events,
)

Connection = psycopg.Connection[Any]

ORG_ID = "4f4c4b43-2b1a-4d5e-8f60-718293a4b5c6"
EVENT = events.checkout_completed(events.checkout_session(ORG_ID, 50_00))
BODY = events.encode(EVENT)


@pytest.fixture
async def service(database: str, connect: Callable[..., Connection]) -> AsyncIterator[Service]:
    """The service, which must be as it was once the test is over."""
    connection = connect()
    open_wallet(connection, org_id=UUID(ORG_ID))
    async with running_service(database, request_timeout_seconds=1) as service:
        yield service
        assert stored_events(connection) == {}
        assert balance(connection, UUID(ORG_ID)) == 0
        assert (await service.health()).status == 200
        assert (await service.deliver(EVENT)).outcome == "200 processed"


def assert_refused(answer: Answer, outcome: str) -> None:
    assert answer.outcome == outcome
    assert set(answer.body) == {"error", "message"}
    assert len(json.dumps(answer.body)) < 200


SIGNED_AT, SIGNATURE = events.sign(BODY, WHSEC).split(",")

UNSIGNED = {
    "blank": "",
    "another secret": events.sign(BODY, "whsec_other"),
    "another body": events.sign(BODY + b" ", WHSEC),
    "another scheme": f"{SIGNED_AT},{SIGNATURE.replace('v1', 'v0')}",
    "truncated": f"{SIGNED_AT},{SIGNATURE[:-1]}",
    "no time": SIGNATURE,
    "no signature": SIGNED_AT,
    "another time": f"t=1,{SIGNATURE}",
    "two times": f"t=1,{SIGNED_AT},{SIGNATURE}",
    "time is no number": f"t=now,{SIGNATURE}",
    "time has 5000 digits": f"t={'9' * 5000},{SIGNATURE}",
    "not ASCII": f"{SIGNED_AT},{SIGNATURE}é",
    "only commas": ",,,",
}


@pytest.mark.parametrize("header", UNSIGNED.values(), ids=UNSIGNED.keys())
async def test_what_stripe_has_not_signed_is_refused(service: Service, header: str) -> None:
    answer = await service.post(BODY, {"Stripe-Signature": header})
    assert_refused(answer, "400 invalid_signature")


async def test_no_signature_header_is_refused(service: Service) -> None:
    assert_refused(await service.post(BODY, {}), "400 invalid_signature")


async def test_two_signature_headers_are_refused(service: Service) -> None:
    header = events.sign(BODY, WHSEC)
    headers = CIMultiDict([("Stripe-Signature", header), ("Stripe-Signature", header)])
    assert_refused(await service.post(BODY, headers), "400 invalid_signature")


@pytest.mark.parametrize(
    "seconds",
    [-310, 310, -31_536_000, 31_536_000, -(10**11), 10**30],
    ids=["stale", "future", "a year old", "in a year", "before the epoch", "after the sun"],
)
async def test_a_signature_out_of_time_is_refused(service: Service, seconds: int) -> None:
    header = events.sign(BODY, WHSEC, int(time.time()) + seconds)
    answer = await service.post(BODY, {"Stripe-Signature": header})
    assert_refused(answer, "400 signature_out_of_time")


@pytest.mark.parametrize("seconds", [-290, 290])
async def test_clocks_may_differ_by_five_minutes(
    database: str, connect: Callable[..., Connection], seconds: int
) -> None:
    body = events.encode(events.invoice_paid(1))
    header = events.sign(body, WHSEC, int(time.time()) + seconds)
    async with running_service(database) as service:
        answer = await service.post(body, {"Stripe-Signature": header})
    assert answer.outcome == "200 ignored"


def changed(path: str, value: Any) -> bytes:
    """The event with one field replaced, or without it where the value is `...`."""
    event = json.loads(BODY)
    *parents, name = path.split(".")
    target = event
    for parent in parents:
        target = target[parent]
    if value is ...:
        del target[name]
    else:
        target[name] = value
    return json.dumps(event).encode()


def nested(depth: int) -> bytes:
    deep = b"[" * depth + b"]" * depth
    return BODY.replace(b'"livemode"', b'"deep": ' + deep + b', "livemode"', 1)


SIGNED = {
    "nothing": (b"", "400 invalid_json"),
    "not UTF-8": (BODY.replace(b"evt_", b"\xff\xfe"), "400 not_utf8"),
    "UTF-16": (BODY.decode().encode("utf-16"), "400 not_utf8"),
    "an encoded surrogate": (BODY.replace(b"evt_", b"\xed\xa0\x80"), "400 not_utf8"),
    "a byte order mark": (b"\xef\xbb\xbf" + BODY, "400 invalid_json"),
    "cut off": (BODY[:-20], "400 invalid_json"),
    "two events": (BODY + BODY, "400 invalid_json"),
    "not JSON": (b"id=evt_1&type=checkout.session.completed", "400 invalid_json"),
    "NaN": (changed("data.object.amount_total", float("nan")), "400 invalid_json"),
    "a null character": (BODY.replace(b"evt_", b"\x00"), "400 invalid_json"),
    "an escaped null character": (changed("id", "evt_\x00"), "400 invalid_json"),
    "half a surrogate pair": (changed("id", "evt_\ud800"), "400 invalid_json"),
    "an endless number": (
        BODY.replace(b'"amount_total": 5000', b'"amount_total": 1e999999'),
        "400 invalid_json",
    ),
    "nested 100,000 deep": (nested(100_000), "400 invalid_json"),
    "an array": (b"[]", "400 invalid_event"),
    "an array of events": (b"[" + BODY + b"]", "400 invalid_event"),
    "null": (b"null", "400 invalid_event"),
    "a string": (b'"x"', "400 invalid_event"),
    "a number": (b"1", "400 invalid_event"),
    "an empty object": (b"{}", "400 invalid_event"),
    "no id": (changed("id", ...), "400 invalid_event"),
    "a number as id": (changed("id", 1), "400 invalid_event"),
    "a blank id": (changed("id", " "), "400 invalid_event"),
    "an endless id": (changed("id", "evt_" + "x" * 10_000), "400 invalid_event"),
    "no type": (changed("type", ...), "400 invalid_event"),
    "an object as type": (changed("type", {}), "400 invalid_event"),
    "no livemode": (changed("livemode", ...), "400 invalid_event"),
    "livemode as text": (changed("livemode", "false"), "400 invalid_event"),
    "no data": (changed("data", ...), "400 invalid_event"),
    "no data.object": (changed("data.object", ...), "400 invalid_event"),
    "an array as data.object": (changed("data.object", []), "400 invalid_event"),
    "an amount as text": (changed("data.object.amount_total", "5000"), "400 invalid_event"),
    "a negative amount": (changed("data.object.amount_total", -5000), "400 invalid_event"),
    "a fraction of a penny": (changed("data.object.amount_total", 5000.5), "400 invalid_event"),
    "an amount above bigint": (changed("data.object.amount_total", 2**63), "400 invalid_event"),
    "an amount of 1000 digits": (
        changed("data.object.amount_total", 10**1000),
        "400 invalid_event",
    ),
    "no amount": (changed("data.object.amount_total", ...), "400 invalid_event"),
    "an object as amount": (changed("data.object.amount_total", {"x": 1}), "400 invalid_event"),
    "tax as text": (changed("data.object.total_details.amount_tax", "1"), "400 invalid_event"),
    "more tax than money": (
        changed("data.object.total_details.amount_tax", 5001),
        "400 invalid_event",
    ),
    "an array as currency": (changed("data.object.currency", ["gbp"]), "400 invalid_event"),
    "a number as payment intent": (changed("data.object.payment_intent", 5), "400 invalid_event"),
    "one byte too many": (b" " * (MAX_BODY_BYTES + 1 - len(BODY)) + BODY, "413 body_too_large"),
    "1 MiB": (b"x" * 1024 * 1024, "413 body_too_large"),
}


@pytest.mark.parametrize(("body", "outcome"), SIGNED.values(), ids=SIGNED.keys())
async def test_a_signed_body_that_is_no_event_is_refused(
    service: Service, body: bytes, outcome: str
) -> None:
    answer = await service.post(body, {"Stripe-Signature": events.sign(body, WHSEC)})
    assert_refused(answer, outcome)


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(service: Service) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    answer = await service.post(endless(), {"Stripe-Signature": events.sign(BODY, WHSEC)})
    assert_refused(answer, "413 body_too_large")


async def test_the_largest_body_is_taken(database: str) -> None:
    body = events.encode(events.invoice_paid(1))
    body = b" " * (MAX_BODY_BYTES - len(body)) + body
    async with running_service(database) as service:
        answer = await service.post(body, {"Stripe-Signature": events.sign(body, WHSEC)})
    assert answer.outcome == "200 ignored"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x"])
@pytest.mark.parametrize(
    "body", [gzip.compress(BODY), b"garbage", BODY], ids=["gzip", "garbage", "plain"]
)
async def test_an_encoded_body_is_refused(service: Service, encoding: str, body: bytes) -> None:
    headers = {"Stripe-Signature": events.sign(BODY, WHSEC), "Content-Encoding": encoding}
    assert_refused(await service.post(body, headers), "400 encoded_body")


HEAD = "POST /api/webhooks/stripe HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + "Transfer-Encoding: chunked\r\n\r\n"

RAW = {
    "no HTTP": ("\x16\x03\x01\x02\x00\x01\x00", "400 malformed_request"),
    "an endless header": (
        f"{HEAD}Stripe-Signature: {'x' * 100_000}\r\n\r\n",
        "400 malformed_request",
    ),
    "a null character in a header": (
        f"{HEAD}Stripe-Signature: t=\0\r\n\r\n",
        "400 malformed_request",
    ),
    "two lengths": (
        f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "400 malformed_request",
    ),
    "a negative length": (f"{HEAD}Content-Length: -1\r\n\r\n", "400 malformed_request"),
    "a broken chunk": (f"{CHUNKED}zz\r\n", "400 malformed_request"),
    "an announced gigabyte": (f"{HEAD}Content-Length: 1073741824\r\n\r\n", "413 body_too_large"),
    "a body that never comes": (f"{HEAD}Content-Length: 100\r\n\r\n{{", "400 incomplete_body"),
}


@pytest.mark.parametrize(("request_text", "outcome"), RAW.values(), ids=RAW.keys())
async def test_broken_http_is_refused(service: Service, request_text: str, outcome: str) -> None:
    assert_refused(await exchange(service, request_text.encode()), outcome)


async def test_a_body_that_breaks_while_it_is_read_is_refused(service: Service) -> None:
    answer = await exchange(service, f"{CHUNKED}1\r\n{{\r\n".encode(), b"zz\r\n")
    assert_refused(answer, "400 incomplete_body")


async def test_other_methods_and_paths_are_refused_in_json(service: Service) -> None:
    for method, path, outcome in (
        ("GET", "/api/webhooks/stripe", "405 method_not_allowed"),
        ("POST", "/health", "405 method_not_allowed"),
        ("GET", "/nowhere", "404 not_found"),
        ("POST", "/api/webhooks/stripe/", "404 not_found"),
    ):
        async with service.client.request(method, service.url + path) as response:
            assert_refused(Answer(response.status, await response.json()), outcome)


header_like = st.text(alphabet="tv01=,. +-_9é\ud800")


@given(header=header_like | st.text(), body=st.binary())
def test_no_forgery_passes_the_verifier_or_breaks_it(header: str, body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        authenticate(body, [header], (WHSEC,))
    assert refusal.value.status == 400


@given(text=st.text())
def test_any_text_that_is_signed_passes_the_verifier(text: str) -> None:
    try:
        body = text.encode()
    except UnicodeEncodeError:
        reject()
    assert authenticate(body, [events.sign(body, WHSEC)], ("whsec_other", WHSEC)) == text
