"""The sandbox lists calls and reports them as Vapi does."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiohttp import web
from psycopg.types.json import Jsonb

from ..http.app import listen, listener_url
from ..sandbox.app import running_sandbox
from .sandboxes import RunningSandbox, SandboxProcess, connected, running_test_sandbox
from .services import open_wallet

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "the secret of X-Vapi-Secret"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


class Server:
    """A server URL of Vapi's account: what came, and with which secret."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[str | None, dict[str, Any]]] = []
        self.status = 200

    async def receive(self, request: web.Request) -> web.Response:
        self.received.append((request.headers.get("X-Vapi-Secret"), await request.json()))
        return web.Response(status=self.status)

    @property
    def call_ids(self) -> list[str]:
        return [body["message"]["call"]["id"] for _, body in self.received]


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_post("/webhook", server.receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            server.url = listener_url(listener) + "/webhook"
            yield server
        finally:
            await runner.cleanup()


async def get(
    sandbox: RunningSandbox, key: str | None = "Bearer a key", **params: str
) -> tuple[int, Any]:
    headers = {"Authorization": key} if key is not None else {}
    url = sandbox.vapi_url + "/call"
    async with sandbox.client.get(url, params=params, headers=headers) as response:
        return response.status, await response.json()


async def ids(sandbox: RunningSandbox, **params: str) -> list[str]:
    status, calls = await get(sandbox, **params)
    assert status == 200, calls
    return [call["id"] for call in calls]


def at(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("key", [None, "", "Bearer", "Bearer  ", "Basic abc"])
async def test_without_a_key_it_is_401(sandbox: RunningSandbox, key: str | None) -> None:
    status, body = await get(sandbox, key)
    assert status == 401
    assert (body["error"], body["statusCode"]) == ("Unauthorized", 401)


async def test_the_newest_calls_come_first_and_100_of_them(sandbox: RunningSandbox) -> None:
    """https://docs.vapi.ai/api-reference/calls/list"""
    made = await sandbox.make_calls(count=150, call={"created_at": at(0)})
    assert await ids(sandbox) == made[:49:-1]
    assert await ids(sandbox, limit="3") == made[:146:-1]
    assert await ids(sandbox, limit="0") == []
    assert await ids(sandbox, limit="1000") == made[::-1]


async def test_bounds_of_time_are_as_they_are_called(sandbox: RunningSandbox) -> None:
    made = await sandbox.make_calls(count=5, call={"created_at": at(0)})
    assert await ids(sandbox, createdAtGe=at(1), createdAtLt=at(3)) == [made[2], made[1]]
    assert await ids(sandbox, createdAtGt=at(1), createdAtLe=at(3)) == [made[3], made[2]]
    assert await ids(sandbox, createdAtGe="2026-11-20T14:00:03+02:00") == [made[4], made[3]]
    # A minute of talk, and what is done before and after it.
    assert await ids(sandbox, updatedAtGe=at(68), updatedAtLt=at(70)) == [made[2], made[1]]


async def test_calls_are_found_by_what_they_were_made_with(sandbox: RunningSandbox) -> None:
    [first, second] = await sandbox.make_calls(
        {"id": "one", "assistant_id": "a"}, {"id": "two", "phone_number_id": "p"}
    )
    assert await ids(sandbox, assistantId="a") == [first]
    assert await ids(sandbox, phoneNumberId="p") == [second]
    assert await ids(sandbox, id="two") == [second]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"limit": "1001"}, "limit must not be greater than 1000"),
        ({"limit": "-1"}, "limit must not be less than 0"),
        ({"limit": "many"}, "limit must be a number"),
        ({"createdAtGe": "yesterday"}, "createdAtGe must be a valid ISO 8601 date string"),
        ({"createdAtGte": at(0)}, "property createdAtGte should not exist"),
        ({"page": "2"}, "property page should not exist"),
    ],
)
async def test_what_is_wrong_with_a_parameter_is_400(
    sandbox: RunningSandbox, params: dict[str, str], message: str
) -> None:
    status, body = await get(sandbox, **params)
    assert status == 400
    assert body == {"message": [message], "error": "Bad Request", "statusCode": 400}


async def test_a_call_has_what_vapi_has_of_it(sandbox: RunningSandbox) -> None:
    org_id = str(uuid4())
    await sandbox.make_calls(
        {"created_at": at(0), "duration_seconds": 90.5, "org_id": org_id, "call_id": "ours"}
    )
    _, [call] = await get(sandbox)
    assert UUID(call["id"])
    assert call["orgId"] != org_id
    assert (call["type"], call["status"]) == ("outboundPhoneCall", "ended")
    assert call["createdAt"] == "2026-11-20T12:00:00.000Z"
    assert call["startedAt"] == "2026-11-20T12:00:04.000Z"
    assert call["endedAt"] == "2026-11-20T12:01:34.500Z"
    assert call["endedReason"] == "customer-ended-call"
    assert call["cost"] == pytest.approx(sum(each["cost"] for each in call["costs"]))
    assert call["costBreakdown"]["total"] == call["cost"]
    assert call["assistantOverrides"]["metadata"] == {"org_id": org_id, "call_id": "ours"}
    assert re.fullmatch(r"CA[0-9a-f]{32}", call["phoneCallProviderId"])
    assert "020 7946 0018" in call["transcript"]
    assert call["artifact"]["messages"] == call["messages"]


async def test_a_call_may_be_of_any_kind(sandbox: RunningSandbox) -> None:
    await sandbox.make_calls(
        {"id": "web", "type": "webCall", "org_id": "o", "metadata_in": "metadata"},
        {"id": "unanswered", "duration_seconds": None},
        {"id": "ringing", "status": "ringing"},
        {"id": "talking", "status": "in-progress", "cost": 0.5},
        {"id": "odd", "fields": {"endedAt": None, "surprise": [1]}},
    )
    _, listed = await get(sandbox)
    calls = {call["id"]: call for call in listed}
    assert calls["web"]["metadata"] == {"org_id": "o"}
    assert "customer" not in calls["web"]
    assert "startedAt" not in calls["unanswered"]
    assert calls["unanswered"]["endedReason"] == "customer-did-not-answer"
    assert (calls["unanswered"]["cost"], calls["unanswered"]["transcript"]) == (0, "")
    assert not {"startedAt", "endedAt", "cost"} & set(calls["ringing"])
    assert "startedAt" in calls["talking"]
    assert "endedAt" not in calls["talking"]
    assert (calls["odd"]["endedAt"], calls["odd"]["surprise"]) == (None, [1])


async def test_a_call_may_change_afterwards(sandbox: RunningSandbox) -> None:
    [call_id] = await sandbox.make_calls({"status": "in-progress", "created_at": at(0)})
    ending = {"status": "ended", "endedAt": "2026-11-20T12:01:00.000Z"}
    await sandbox.control("PATCH", f"/vapi/calls/{call_id}", {"fields": ending})
    _, [call] = await get(sandbox)
    assert (call["status"], call["endedAt"]) == ("ended", ending["endedAt"])


async def test_what_sql_reads_of_a_call_and_of_its_report_is_the_same(
    sandbox: RunningSandbox, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        org_id = open_wallet(connection, balance_pence=10_00)
        async with running_server() as server:
            await sandbox.control("PUT", "/vapi/server", {"url": server.url, "secret": SECRET})
            for metadata_in in ("metadata", "assistantOverrides", "assistant"):
                await sandbox.make_calls(
                    {
                        "org_id": str(org_id),
                        "call_id": metadata_in,
                        "metadata_in": metadata_in,
                        "duration_seconds": 30.2,
                    },
                    deliver=True,
                )
            await sandbox.make_calls({"duration_seconds": None}, {"type": "webCall"}, deliver=True)
        _, listed = await get(sandbox)
        told = {body["message"]["call"]["id"]: body for _, body in server.received}
        for call in listed:
            [(same, seconds)] = connection.execute(
                """
                select
                    wallet.read_call_report(%(call)s) is not distinct from
                    wallet.read_call_report(%(report)s),
                    (wallet.read_call_report(%(call)s)).duration_seconds
                """,
                {"call": Jsonb(call), "report": Jsonb(told[call["id"]])},
            ).fetchall()
            assert same, call
            if "assistantOverrides" in call:
                assert seconds == 31


async def test_reports_come_with_the_secret_and_once(sandbox: RunningSandbox) -> None:
    async with running_server() as server:
        await sandbox.control("PUT", "/vapi/server", {"url": server.url, "secret": SECRET})
        silent = await sandbox.make_calls(count=2)
        assert server.received == []

        server.status = 500
        answer = await sandbox.control(
            "POST", "/vapi/calls", {"calls": [{"created_at": at(0)}], "deliver": True}
        )
        assert answer["statuses"] == [500]
        server.status = 200
        # A late one, and a second one, on demand.
        for call_id in (silent[0], answer["ids"][0]):
            sent = await sandbox.control("POST", f"/vapi/calls/{call_id}/report")
            assert sent == {"statuses": [200]}
    assert server.call_ids == [answer["ids"][0], silent[0], answer["ids"][0]]
    assert {secret for secret, _ in server.received} == {SECRET}
    message = server.received[0][1]["message"]
    assert message["type"] == "end-of-call-report"
    assert (message["startedAt"], message["endedAt"]) == (
        "2026-11-20T12:00:04.000Z",
        "2026-11-20T12:01:04.000Z",
    )
    assert (message["durationSeconds"], message["durationMs"]) == (60, 60_000)
    assert message["endedReason"] == "customer-ended-call"
    assert message["cost"] > 0
    assert not {"startedAt", "endedAt", "cost", "transcript"} & set(message["call"])
    [last] = (await sandbox.control("POST", f"/vapi/calls/{silent[1]}/report"))["statuses"]
    assert last == 0


async def test_many_reports_are_sent_side_by_side(sandbox: RunningSandbox) -> None:
    async with running_server() as server:
        await sandbox.control("PUT", "/vapi/server", {"url": server.url, "secret": SECRET})
        made = await sandbox.make_calls(count=100, deliver=True)
    assert sorted(server.call_ids) == sorted(made)


async def test_faults_are_for_the_list_too(sandbox: RunningSandbox) -> None:
    await sandbox.make_calls({"id": "a"})
    for status in (429, 500, 599):
        await sandbox.fault("GET", "/vapi/call", answer=status, skip=1)
        assert await ids(sandbox) == ["a"]
        answered, body = await get(sandbox)
        assert (answered, body["statusCode"]) == (status, status)
    await sandbox.fault("GET", "/vapi/call", delay_seconds=0.2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await get(sandbox)
    assert await ids(sandbox) == ["a"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/vapi/calls", {"calls": [{"status": "lost"}]}),
        ("POST", "/vapi/calls", {"calls": [{"created_at": "2026-11-20T12:00:00"}]}),
        ("POST", "/vapi/calls", {"calls": [{"created_at": "0001-01-01T00:00:00Z"}]}),
        ("POST", "/vapi/calls", {"calls": [{"unknown": 1}]}),
        ("POST", "/vapi/calls", {"count": -1}),
        ("POST", "/vapi/calls", {"count": 1, "deliver": True}),
        ("PUT", "/vapi/server", {"url": "ftp://example.com", "secret": SECRET}),
        ("PUT", "/vapi/server", {"url": "http://127.0.0.1:9"}),
        ("PATCH", "/vapi/calls/none", {"fields": {}}),
        ("POST", "/vapi/calls/none/report", None),
    ],
)
async def test_the_control_api_says_what_is_wrong(
    sandbox: RunningSandbox, method: str, path: str, body: Any
) -> None:
    url = f"{sandbox.url}/_sandbox{path}"
    async with sandbox.client.request(method, url, json=body) as response:
        assert response.status in (400, 404)
        assert await response.json()


async def test_calls_and_the_server_url_outlive_a_kill(tmp_path: Path) -> None:
    async with running_server() as server:
        with SandboxProcess(tmp_path) as process:
            async with connected(process.wait_for_url()) as sandbox:
                await sandbox.control("PUT", "/vapi/server", {"url": server.url, "secret": SECRET})
                made = await sandbox.make_calls(count=3, call={"created_at": at(0)})
            process.stop(signal.SIGKILL)
        assert SECRET not in process.output
        with SandboxProcess(tmp_path) as process:
            async with connected(process.wait_for_url()) as sandbox:
                assert await ids(sandbox) == made[::-1]
                await sandbox.control("POST", f"/vapi/calls/{made[0]}/report")
            assert SECRET not in process.output
    assert server.call_ids == made[:1]


async def test_the_server_url_may_be_given_at_the_start() -> None:
    async with running_server() as server:
        with listen("127.0.0.1", 0) as listener:
            async with (
                running_sandbox(None, listener, vapi_server=(server.url, SECRET)) as url,
                connected(url) as sandbox,
            ):
                await sandbox.make_calls(count=1, deliver=True)
    assert [secret for secret, _ in server.received] == [SECRET]
