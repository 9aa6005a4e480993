"""Vapi's list of calls: every call exactly once, whatever the list and the network do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from aiohttp import web
from psycopg.types.json import Jsonb

from ..http.app import listen, listener_url
from ..settings import Settings, SettingsError
from ..vapi_api import client
from ..vapi_api.client import Page, VapiFailure, encode_calls, vapi_client
from .sandboxes import RunningSandbox, running_test_sandbox
from .workers import VAPI_KEY

DAY = datetime(2026, 11, 20, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)
NOON = DAY + timedelta(hours=12)


Answer = Callable[[web.Request], Awaitable[web.Response]]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.001)


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


async def list_pages(url: str, from_at: datetime = DAY, until: datetime = NEXT_DAY) -> list[Page]:
    settings = Settings.load(vapi_api_key=VAPI_KEY, vapi_api_base=url)
    async with vapi_client(settings) as vapi:
        return [page async for page in vapi.list_calls(from_at, until)]


async def list_ids(url: str, from_at: datetime = DAY, until: datetime = NEXT_DAY) -> list[str]:
    return [call["id"] for page in await list_pages(url, from_at, until) for call in page.calls]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """A server that answers every request like this, and its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield listener_url(listener)
        finally:
            await runner.cleanup()


def call_at(at: datetime, call_id: str | None = None, **fields: Any) -> dict[str, Any]:
    created = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": call_id or created, "createdAt": created, **fields}


async def test_every_call_of_the_time_comes_once_the_newest_first(sandbox: RunningSandbox) -> None:
    kind = {"created_at": (DAY - timedelta(minutes=5)).isoformat()}
    ids = await sandbox.make_calls(count=1000, call=kind, every_ms=1000)
    of_the_day = ids[300:]

    pages = await list_pages(sandbox.vapi_url, until=DAY + timedelta(minutes=10))

    assert [call["id"] for page in pages for call in page.calls] == of_the_day[:600][::-1]
    asked = await sandbox.listings()
    assert {(each["limit"], each["createdAtGe"]) for each in asked} == {
        ("100", "2026-11-20T00:00:00.000Z")
    }
    assert asked[0]["createdAtLt"] == "2026-11-20T00:10:00.000Z"
    # A call comes twice at each seam, and a last request finds nothing new.
    assert len(asked) == 8
    assert asked[1]["createdAtLt"] == "2026-11-20T00:08:20.001Z"


async def test_each_page_says_how_far_back_nothing_is_missing(sandbox: RunningSandbox) -> None:
    ids = await sandbox.make_calls(count=250, call={"created_at": NOON.isoformat()})

    pages = await list_pages(sandbox.vapi_url)
    assert [len(page.calls) for page in pages] == [100, 99, 51, 0]
    assert pages[-1].listed_back_to == DAY

    for number, page in enumerate(pages):
        before = [call["id"] for each in pages[: number + 1] for call in each.calls]
        after = await list_ids(sandbox.vapi_url, until=page.listed_back_to)
        assert set(before) | set(after) == set(ids)
    requests = len(await sandbox.listings())
    assert await list_ids(sandbox.vapi_url, until=DAY) == []
    assert len(await sandbox.listings()) == requests


async def test_a_day_without_calls_is_one_request(sandbox: RunningSandbox) -> None:
    assert await list_pages(sandbox.vapi_url) == [Page([], DAY)]
    assert len(await sandbox.listings()) == 1


@pytest.mark.parametrize("count", [99, 100, 101, 199, 200, 250, 999])
async def test_calls_of_the_same_millisecond_are_not_lost(
    sandbox: RunningSandbox, count: int
) -> None:
    before = await sandbox.make_calls(count=3, call={"created_at": DAY.isoformat()})
    same = await sandbox.make_calls(count=count, call={"created_at": NOON.isoformat()}, every_ms=0)
    after = await sandbox.make_calls(
        count=150, call={"created_at": (NOON + timedelta(seconds=1)).isoformat()}
    )

    found = await list_ids(sandbox.vapi_url)
    assert len(found) == len(set(found))
    assert set(found) == {*before, *same, *after}


async def test_as_many_calls_of_the_same_millisecond_as_a_page_can_hold_are_an_error(
    sandbox: RunningSandbox,
) -> None:
    await sandbox.make_calls(count=1000, call={"created_at": NOON.isoformat()}, every_ms=0)

    with pytest.raises(
        VapiFailure, match=r"1000 calls or more of the same moment, 2026-11-20T12:00:00\.000Z"
    ):
        await list_ids(sandbox.vapi_url)
    assert [each["limit"] for each in await sandbox.listings()] == [
        *("100", "100", "1000"),
        *("100", "1000"),
    ]


async def test_a_run_has_an_end(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_PAGES", 2)
    await sandbox.make_calls(count=250, call={"created_at": NOON.isoformat()})

    with pytest.raises(VapiFailure, match="more than 2 pages"):
        await list_ids(sandbox.vapi_url)
    assert len(await sandbox.listings()) == 2


async def test_a_list_that_heeds_no_parameter_is_noticed() -> None:
    newest = [call_at(NEXT_DAY + timedelta(hours=1) - timedelta(seconds=n)) for n in range(100)]
    oldest = [call_at(NOON - timedelta(hours=n)) for n in range(100)]
    requests = 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.json_response(calls)

    async with answering(answer) as url:
        calls = newest
        with pytest.raises(VapiFailure, match="newer than what was asked for"):
            await list_ids(url)
        # What is older ends the list; SQL counts it as outside.
        calls = oldest
        requests = 0
        assert len(await list_ids(url)) == 100
        assert requests == 1
        # The same page for ever.
        calls = [call_at(NOON, str(n)) for n in range(1000)]
        requests = 0
        with pytest.raises(VapiFailure, match="1000 calls or more of the same moment"):
            await list_ids(url)
        assert requests == 3


async def test_a_list_in_another_order_is_noticed() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response([call_at(DAY + timedelta(minutes=n)) for n in range(100)])

    async with answering(answer) as url:
        with pytest.raises(VapiFailure, match="not sorted by time"):
            await list_ids(url)


@pytest.mark.parametrize("answer", [429, 500, 502, 503, 504, 408, "drop"])
async def test_what_passes_is_asked_again(sandbox: RunningSandbox, answer: int | str) -> None:
    ids = await sandbox.make_calls(count=150, call={"created_at": NOON.isoformat()})
    await sandbox.fault("GET", "/vapi/call", answer=answer, times=4)

    assert set(await list_ids(sandbox.vapi_url)) == set(ids)


@pytest.mark.parametrize(("answer", "requests"), [(429, 5), (503, 5), ("drop", 10)])
async def test_what_does_not_pass_ends_after_five_tries(
    sandbox: RunningSandbox, answer: int | str, requests: int
) -> None:
    """aiohttp by itself sends a request again, once, whose connection broke."""
    await sandbox.fault("GET", "/vapi/call", answer=answer, times=20)

    with pytest.raises(VapiFailure, match=r"as it should, 5 times in a row") as failure:
        await list_ids(sandbox.vapi_url)
    assert len(await sandbox.listings()) == requests
    assert VAPI_KEY not in str(failure.value)


async def test_an_answer_that_never_comes_is_given_up(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "REQUEST_SECONDS", 0.1)
    ids = await sandbox.make_calls({"created_at": NOON.isoformat()})
    await sandbox.fault("GET", "/vapi/call", answer="hang")
    assert await list_ids(sandbox.vapi_url) == ids

    monkeypatch.setattr(client, "REQUEST_SECONDS", 60)
    monkeypatch.setattr(client, "PAGE_SECONDS", 0.1)
    await sandbox.fault("GET", "/vapi/call", answer="hang")
    with pytest.raises(VapiFailure, match=r"more than 0\.1 seconds for a page"):
        await list_ids(sandbox.vapi_url)


async def test_pauses_grow_and_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(client, "LONGEST_PAUSE_SECONDS", 0.1)
    times: list[float] = []

    async def answer(_request: web.Request) -> web.Response:
        times.append(time.monotonic())
        return web.Response(status=503)

    async with answering(answer) as url:
        with pytest.raises(VapiFailure):
            await list_ids(url)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    for pause, least in zip(pauses, (0.02, 0.04, 0.08, 0.1), strict=True):
        assert pause >= least
    assert sum(pauses) < 5


@pytest.mark.parametrize("form", ["seconds", "date", "absurd", "words", "empty"])
async def test_a_rate_limit_may_say_how_long(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_PAUSE_SECONDS", 1.5)
    times: list[float] = []

    async def answer(_request: web.Request) -> web.Response:
        times.append(time.monotonic())
        if len(times) > 1:
            return web.json_response([])
        # A date has no fractions of seconds.
        date = datetime.now(UTC) + timedelta(seconds=2)
        values = {
            "seconds": "1",
            "date": format_datetime(date, usegmt=True),
            "absurd": "86400000",
            "words": "Thu, 99 Foo 2026",
            "empty": "",
        }
        return web.Response(status=429, headers={"Retry-After": values[form]})

    async with answering(answer) as url:
        assert await list_ids(url) == []
    [first, second] = times
    waits = {"seconds": 1, "date": 1, "absurd": 1.5, "words": 0, "empty": 0}[form]
    assert waits <= second - first < waits + 0.9


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "set it to a private API key that is in use"),
        (403, "set it to a private API key that is in use"),
        (404, "no list of calls at VAPI_API_BASE"),
        (301, "no list of calls at VAPI_API_BASE"),
        (400, r"Vapi refused the request \(HTTP 400\)"),
        (402, r"Vapi refused the request \(HTTP 402\)"),
    ],
)
async def test_what_will_not_pass_is_told_at_once(status: int, sentence: str) -> None:
    requests: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        body = json.dumps({"message": f"Invalid key {VAPI_KEY}", "statusCode": status})
        return web.Response(status=status, text=body, headers={"Location": "/elsewhere"})

    async with answering(answer) as url:
        with pytest.raises(VapiFailure, match=sentence) as failure:
            await list_ids(url)
    assert len(requests) == 1
    assert VAPI_KEY not in str(failure.value)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"<html>Welcome</html>", "not JSON"),
        (b'[{"id": "a"', "not JSON"),
        (b'[{"id": "a", "createdAt": "2026-11-20T12:00:00.000Z", "cost": NaN}]', "not JSON"),
        (b'[{"id": "a", "createdAt": "2026-11-20T12:00:00.000Z", "cost": 1e999}]', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"{}", "not a list"),
        (b'{"results": [], "metadata": {}}', "not a list"),
        (b"null", "not a list"),
        (b"[1]", "no call with an id"),
        (b"[{}]", "no call with an id"),
        (b'[{"id": "", "createdAt": "2026-11-20T12:00:00.000Z"}]', "no call with an id"),
        (b'[{"id": 7, "createdAt": "2026-11-20T12:00:00.000Z"}]', "no call with an id"),
        (b'[{"id": "a"}]', "without a usable createdAt"),
        (b'[{"id": "a", "createdAt": null}]', "without a usable createdAt"),
        (b'[{"id": "a", "createdAt": "yesterday"}]', "without a usable createdAt"),
        (b'[{"id": "a", "createdAt": 1700000000}]', "without a usable createdAt"),
    ],
)
async def test_an_answer_that_is_no_list_of_calls_is_told(body: bytes, sentence: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with answering(answer) as url:
        with pytest.raises(VapiFailure, match=sentence):
            await list_ids(url)


async def test_an_answer_has_a_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_BODY_BYTES", 100_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 10_000)

    async with answering(answer) as url:  # type: ignore[arg-type]
        async with asyncio.timeout(10):
            with pytest.raises(VapiFailure, match="longer than 100000 bytes"):
                await list_ids(url)


async def test_the_key_goes_to_vapi_and_not_to_where_it_points() -> None:
    keys: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Authorization"))
        return web.json_response([])

    async with answering(answer) as elsewhere:

        async def redirect(_request: web.Request) -> web.Response:
            raise web.HTTPFound(elsewhere)

        async with answering(redirect) as url:
            with pytest.raises(VapiFailure):
                await list_ids(url)
        assert keys == []
        await list_ids(elsewhere + "/")
    assert keys == [f"Bearer {VAPI_KEY}"]


async def test_nobody_listens_to_the_key_on_its_way() -> None:
    with pytest.raises(SettingsError, match="VAPI_API_BASE is not usable: expected https"):
        await list_ids("http://api.vapi.ai")


async def test_without_a_key_nothing_is_asked() -> None:
    with pytest.raises(SettingsError, match="VAPI_API_KEY is not set"):
        async with vapi_client(Settings.load(_env_file=None)):
            pass


def test_times_finer_than_a_millisecond_are_not_cut_off() -> None:
    at = NOON + timedelta(microseconds=123_456)
    assert client._ceil(at) == NOON + timedelta(milliseconds=124)
    assert client._floor(at) == NOON + timedelta(milliseconds=123)
    assert client._ceil(NOON) == NOON


def test_what_people_said_can_always_be_stored(database: str) -> None:
    said = r"\u0000 \\u0000 \ud83d \ude00 \ud83d\ude00 \u20ac"
    calls = json.loads(f'[{{"id": "a", "transcript": "{said}", "cost": 0.1234}}]')
    with psycopg.connect(database) as connection:
        [(stored,)] = connection.execute(
            "select %s::jsonb", [Jsonb(calls, dumps=encode_calls)]
        ).fetchall()
    [call] = stored
    assert call["cost"] == 0.1234
    assert "\\u0000" in call["transcript"]
    assert call["transcript"].endswith("😀 €")
