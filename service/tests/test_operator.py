"""What an operator sees over HTTP, and may set off again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from ..http.operator import (
    QUEUE_HEALTH_PATH,
    QUEUE_STATS_PATH,
    RECENT_FAILURES_PATH,
    REPLAY_PATH,
)
from ..sandbox import events
from .services import Answer, Service, balance, open_wallet, running_service, stored_events

Connection = psycopg.Connection[Any]

TOKEN = "t0ken-of-the-tests-" + "x" * 20

READS = (QUEUE_HEALTH_PATH, RECENT_FAILURES_PATH, QUEUE_STATS_PATH)


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_service(database, api_token=TOKEN) as service:
        yield service


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def read(service: Service, path: str, headers: dict[str, str] | None = None) -> Answer:
    headers = bearer() if headers is None else headers
    async with service.client.get(service.url + path, headers=headers) as response:
        return Answer(response.status, await response.json())


async def replay(service: Service, body: bytes, token: str = TOKEN) -> Answer:
    return await service.send(REPLAY_PATH, body, bearer(token))


async def fail(service: Service, org_id: UUID, event_id: str = "evt_1") -> None:
    """Deliver a payment of a wallet that isn't there."""
    session = events.checkout_session(org_id, 50_00, payment_intent_id="pi_1")
    answer = await service.deliver(events.checkout_completed(session, event_id=event_id))
    assert answer.outcome == "500 organization_not_found"


async def test_queue_health_is_what_the_database_says(
    service: Service, connection: Connection
) -> None:
    connection.execute("select wallet.note_worker('worker-1', '1.0')")
    await service.deliver(events.invoice_paid(1))
    healthy = await read(service, QUEUE_HEALTH_PATH)
    assert healthy.status == 200
    assert (healthy.body["success"], healthy.body["status"]) == (True, "healthy")
    assert (healthy.body["received_last_hour"], healthy.body["success_rate_percent"]) == (1, 100)

    await fail(service, uuid4())
    degraded = await read(service, QUEUE_HEALTH_PATH)
    assert (degraded.status, degraded.body["status"]) == (200, "degraded")
    assert degraded.body["reasons"] == ["events_failed"]
    assert (degraded.body["events_failed"], degraded.body["success_rate_percent"]) == (1, 50)


async def test_recent_failures_are_listed_without_their_payload(
    service: Service, connection: Connection
) -> None:
    assert (await read(service, RECENT_FAILURES_PATH)).body == {
        "success": True,
        "failures": [],
        "total": 0,
    }
    org_id = uuid4()
    for number in range(3):
        await fail(service, org_id, f"evt_{number}")

    answer = await read(service, RECENT_FAILURES_PATH + "?limit=2")

    assert (answer.status, answer.body["total"]) == (200, 3)
    newest, _ = answer.body["failures"]
    assert newest.pop("received_at")
    assert newest == {
        "event_id": "evt_2",
        "event_type": "checkout.session.completed",
        "org_id": str(org_id),
        "error_code": "organization_not_found",
        "error_message": f"There is no wallet for organization {org_id}.",
        "attempts": 1,
        "payment_intent": "pi_1",
        "amount": 50_00,
        "currency": "gbp",
    }
    assert len((await read(service, RECENT_FAILURES_PATH)).body["failures"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=",
        "limit=ten",
        "limit=1.5",
        "limit=1&limit=2",
        "limit=99999999999",
        "most=2",
    ],
)
async def test_a_limit_that_is_none_is_named(service: Service, query: str) -> None:
    answer = await read(service, f"{RECENT_FAILURES_PATH}?{query}")
    assert answer.outcome == "400 invalid_request"
    assert answer.body["message"].startswith(("limit: ", "most: "))


async def test_queue_stats_are_what_the_database_says(
    service: Service, connection: Connection
) -> None:
    connection.execute("select wallet.check_books('worker-1')")
    await fail(service, uuid4())
    answer = await read(service, QUEUE_STATS_PATH)
    assert answer.status == 200
    [(stats,)] = connection.execute("select wallet.get_queue_stats()").fetchall()
    assert answer.body.keys() == stats.keys()
    assert (answer.body["events_failed"], answer.body["messages_due"]) == (1, 1)
    assert answer.body["recharges"]["unresolved"] == 0
    assert answer.body["last_consistency_check"]["problems"] == 0


async def test_a_failed_event_is_replayed(service: Service, connection: Connection) -> None:
    org_id = uuid4()
    await fail(service, org_id)

    answer = await replay(service, b'{"event_id": "evt_1"}')
    assert answer.status == 409
    assert (answer.body["success"], answer.body["error"]) == (False, "organization_not_found")
    assert str(org_id) in answer.body["message"]
    assert stored_events(connection) == {"evt_1": ("failed", 2)}

    open_wallet(connection, org_id=org_id)
    with capture_logs() as logs:
        answer = await replay(service, b'{"event_id": "evt_1"}')
    assert answer.outcome == "200 processed"
    [line] = [line for line in logs if line.get("path") == REPLAY_PATH]
    assert (line["eventId"], line["orgId"], line["outcome"]) == ("evt_1", str(org_id), "processed")
    assert (line["amountPence"], line["balanceBefore"], line["balanceAfter"]) == (50_00, 0, 50_00)
    assert (answer.body["org_id"], answer.body["balance_after"]) == (str(org_id), 50_00)

    answer = await replay(service, b'{"event_id": "evt_1"}')
    assert answer.outcome == "200 duplicate"
    assert balance(connection, org_id) == 50_00


async def test_an_event_that_never_came_can_not_be_replayed(service: Service) -> None:
    answer = await replay(service, b'{"event_id": "evt_never"}')
    assert (answer.status, answer.body["error"]) == (404, "event_not_found")


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", "400 invalid_json"),
        (b"{", "400 invalid_json"),
        (b"{}", "400 invalid_request"),
        (b"[]", "400 invalid_request"),
        (b'{"event_id": 1}', "400 invalid_request"),
        (b'{"event_id": null}', "400 invalid_request"),
        (b'{"event_id": " "}', "400 invalid_request"),
        (b'{"event_id": "\\u0000"}', "400 invalid_request"),
        (b'{"event_id": "evt_1", "failed": true}', "400 invalid_request"),
        (b'{"event_id": "' + b"x" * 300_000 + b'"}', "413 body_too_large"),
    ],
    ids=lambda value: value[:40].decode(errors="replace") if isinstance(value, bytes) else value,
)
async def test_what_names_no_event_is_refused(service: Service, body: bytes, outcome: str) -> None:
    assert (await replay(service, body)).outcome == outcome


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN + "x", "tökèn"])
async def test_only_who_knows_the_token_may_ask(
    service: Service, connection: Connection, token: str
) -> None:
    await fail(service, uuid4())
    for path in READS:
        assert (await read(service, path, bearer(token))).outcome == "401 unauthorized"
    assert (await read(service, READS[0], {})).outcome == "401 unauthorized"
    assert (await replay(service, b'{"event_id": "evt_1"}', token)).outcome == "401 unauthorized"
    assert stored_events(connection) == {"evt_1": ("failed", 1)}


async def test_without_a_token_nobody_may(database: str) -> None:
    async with running_service(database) as service:
        answers = [await read(service, path) for path in READS]
        answers.append(await replay(service, b"{}"))
    assert {answer.outcome for answer in answers} == {"503 not_configured"}


async def test_a_database_that_is_out_is_503(service: Service, connection: Connection) -> None:
    connection.execute("drop function wallet.get_queue_stats() cascade")
    assert (await read(service, QUEUE_STATS_PATH)).outcome == "503 database_unavailable"
