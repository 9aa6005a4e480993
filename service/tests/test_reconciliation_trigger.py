"""An operator asks over HTTP for the reconciliation of a day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ..http.operator import RECONCILIATION_PATH
from .services import Answer, Service, running_service, wait_for_lock

Connection = psycopg.Connection[Any]

TOKEN = "t0ken-of-the-tests-" + "x" * 20


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_service(database, api_token=TOKEN) as service:
        yield service


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


async def trigger(service: Service, wish: Any, token: str = TOKEN) -> Answer:
    body = wish if isinstance(wish, bytes) else json.dumps(wish).encode()
    headers = {"Authorization": f"Bearer {token}"}
    return await service.send(RECONCILIATION_PATH, body, headers)


def due(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "select from_at, to_at, status, requested_by from wallet.call_reconciliations"
    ).fetchall()


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def test_a_day_becomes_due_once(service: Service, connection: Connection) -> None:
    answer = await trigger(service, {"date": "2026-11-20"})

    assert (answer.status, answer.body["success"]) == (202, True)
    begin, end = midnight(date(2026, 11, 20)), midnight(date(2026, 11, 21))
    assert datetime.fromisoformat(answer.body["from"]) == begin
    assert datetime.fromisoformat(answer.body["to"]) == end
    assert (answer.body["status"], answer.body["already_due"]) == ("due", False)
    assert due(connection) == [(begin, end, "due", "api")]

    answer = await trigger(service, {"date": "2026-11-20"})
    assert (answer.status, answer.body["already_due"]) == (202, True)
    assert due(connection) == [(begin, end, "due", "api")]


@pytest.mark.parametrize("wish", [b"", {}, {"date": None}], ids=["nothing", "an object", "null"])
async def test_without_a_date_it_is_yesterday(
    service: Service, connection: Connection, wish: Any
) -> None:
    before = datetime.now(UTC).date()
    assert (await trigger(service, wish)).status == 202
    [(begin, end, _, _)] = due(connection)
    assert end in (midnight(before), midnight(datetime.now(UTC).date()))
    assert end - begin == timedelta(days=1)


@pytest.mark.parametrize(
    "day",
    [
        "",
        "yesterday",
        "infinity",
        "2026-13-01",
        "2026-02-29",
        "20.11.2026",
        "2026-11-20T00:00:00Z",
        "9999-12-31",
        20261120,
        True,
        ["2026-11-20"],
    ],
)
async def test_a_date_that_is_none_is_named(
    service: Service, connection: Connection, day: Any
) -> None:
    answer = await trigger(service, {"date": day})
    assert answer.outcome == "400 invalid_request"
    assert answer.body["message"].startswith("date: ")
    assert due(connection) == []


async def test_a_day_to_come_has_no_calls_to_compare(service: Service) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1, hours=1)
    answer = await trigger(service, {"date": tomorrow.date().isoformat()})
    assert answer.outcome == "400 invalid_request"
    assert answer.body["message"].startswith("date: ")
    assert (await trigger(service, {"date": datetime.now(UTC).date().isoformat()})).status == 202


async def test_a_body_that_is_none_is_refused(service: Service, connection: Connection) -> None:
    for body, outcome in (
        (b"{", "400 invalid_json"),
        (b'{"date": "\xff"}', "400 invalid_json"),
        (b"date=2026-11-20", "400 invalid_json"),
        (b"[]", "400 invalid_request"),
        (b"null", "400 invalid_request"),
        (b'{"day": "2026-11-20"}', "400 invalid_request"),
        (b" " * 300_000, "413 body_too_large"),
    ):
        assert (await trigger(service, body)).outcome == outcome, body[:80]
    assert due(connection) == []


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", "tökèn"])
async def test_only_who_knows_the_token_may_ask(
    service: Service, connection: Connection, token: str
) -> None:
    answer = await trigger(service, {}, token)
    assert answer.outcome == "401 unauthorized"
    assert due(connection) == []


async def test_without_a_token_nobody_may(database: str) -> None:
    async with running_service(database) as service:
        answer = await trigger(service, {})
    assert answer.outcome == "503 not_configured"
    assert "API_TOKEN" in answer.body["message"]


async def test_a_database_that_is_stuck_is_503(
    service: Service, connection: Connection, connect: Callable[..., Connection]
) -> None:
    other_session = connect()
    with other_session.transaction():
        other_session.execute("lock table wallet.call_reconciliations")
        asked = asyncio.create_task(trigger(service, {}))
        connection.execute("select pg_cancel_backend(%s)", [await wait_for_lock(connection)])
        assert (await asked).outcome == "503 database_unavailable"
    assert (await trigger(service, {})).status == 202
