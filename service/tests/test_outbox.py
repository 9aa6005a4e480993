"""What a receiver of the outbox gets, and what becomes of a message that it doesn't take."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from ..settings import Settings, SettingsError
from ..worker import channels
from ..worker.channels import describe, open_channels
from .workers import (
    ALERT_SECRET,
    Delivery,
    alerts_to,
    emit,
    eventually,
    let_time_pass,
    running_delivery,
    running_receiver,
    running_worker,
    until_delivered,
)

Connection = psycopg.Connection[Any]
Connect = Callable[..., Connection]


@pytest.fixture
def connection(connect: Connect) -> Connection:
    return connect()


def read_message(connection: Connection, message_id: str) -> dict[str, Any]:
    cursor = connection.cursor(row_factory=dict_row)
    cursor.execute("select * from wallet.outbox_messages where id = %s", [message_id])
    [message] = cursor.fetchall()
    return message


def claim(connection: Connection, worker: str, limit: int = 20) -> list[str]:
    [(answer,)] = connection.execute(
        "select wallet.claim_messages(%s, %s)", [worker, limit]
    ).fetchall()
    return [message["id"] for message in answer["messages"]]


def verify(delivery: Delivery, secret: str) -> dict[str, Any]:
    """A receiver's own check, as https://www.standardwebhooks.com describes it."""
    key = base64.b64decode(secret[len("whsec_") :])
    moment = delivery.headers["webhook-timestamp"]
    assert abs(time.time() - int(moment)) < 300
    signed = f"{delivery.headers['webhook-id']}.{moment}.".encode() + delivery.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    versions = dict(item.split(",", 1) for item in delivery.headers["webhook-signature"].split(" "))
    assert hmac.compare_digest(versions["v1"], expected)
    parsed: dict[str, Any] = json.loads(delivery.body)
    return parsed


async def test_a_webhook_is_signed_and_says_all_there_is(
    database: str, connection: Connection
) -> None:
    org_id = uuid4()
    payload = {"message": "The balance is £4.99.", "balance_pence": 499}
    async with running_delivery(database) as receiver:
        [message_id] = emit(connection, payload=payload, org_id=org_id)
        await until_delivered(connection, 1)
    [delivery] = receiver.deliveries
    message = read_message(connection, message_id)
    assert delivery.path == "/alerts"
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.id == message_id
    body = verify(delivery, ALERT_SECRET)
    assert datetime.fromisoformat(body.pop("timestamp")) == message["created_at"]
    assert body == {
        "id": message_id,
        "type": "low_balance",
        "org_id": str(org_id),
        "data": payload,
    }
    assert message["delivered_to"] == ["log", "webhook"]
    assert message["last_error"] is None

    with pytest.raises(AssertionError):
        verify(delivery, "whsec_" + base64.b64encode(b"another secret of 24 bytes").decode())
    forged = Delivery(delivery.path, delivery.headers, delivery.body.replace(b"499", b"999"))
    with pytest.raises(AssertionError):
        verify(forged, ALERT_SECRET)


async def test_slack_gets_a_sentence_and_no_markup_of_a_stranger(
    database: str, connection: Connection
) -> None:
    org_id = uuid4()
    sentence = "A payment of £50.00 failed: <!channel> & co."
    async with running_receiver() as receiver:
        settings = {"SLACK_WEBHOOK_URL": receiver.url + "/slack"}
        async with running_worker(database, settings):
            [message_id] = emit(connection, "payment_failed", {"message": sentence}, org_id=org_id)
            await until_delivered(connection, 1)
    [delivery] = receiver.deliveries
    assert json.loads(delivery.body) == {
        "text": "Payment failed: A payment of £50.00 failed: &lt;!channel&gt; &amp; co."
        f" (organization {org_id}, message {message_id})"
    }
    assert "webhook-signature" not in delivery.headers


def test_a_message_without_a_sentence_still_says_what_it_is_about() -> None:
    text = describe(
        {
            "id": "m",
            "topic": "event_failed",
            "org_id": None,
            "payload": {},
            "created_at": "",
            "attempts": 1,
            "delivered_to": [],
        }
    )
    assert text == "Event failed. (message m)"


async def test_a_channel_that_has_a_message_does_not_get_it_again(
    database: str, connection: Connection
) -> None:
    answers = {"/slack": [204], "/alerts": [500, 302, 200]}

    async def respond(delivery: Delivery) -> int:
        return answers[delivery.path].pop(0)

    async with running_receiver(respond) as receiver:
        settings = alerts_to(receiver) | {"SLACK_WEBHOOK_URL": receiver.url + "/slack"}
        async with running_worker(database, settings):
            [message_id] = emit(connection)
            for error in ("webhook: HTTP 500", "webhook: HTTP 302"):
                await eventually(lambda: read_message(connection, message_id)["last_error"])
                message = read_message(connection, message_id)
                assert message["last_error"] == error
                assert message["delivered_to"] == ["log", "slack"]
                connection.execute("update wallet.outbox_messages set last_error = null")
                let_time_pass(connection)
            await until_delivered(connection, 1)
    assert [delivery.path for delivery in receiver.deliveries].count("/slack") == 1
    attempts = [delivery for delivery in receiver.deliveries if delivery.path == "/alerts"]
    assert [delivery.id for delivery in attempts] == [message_id] * 3
    assert read_message(connection, message_id)["attempts"] == 3


async def test_a_message_that_nobody_takes_is_dead_with_its_last_error_until_it_is_replayed(
    database: str, connection: Connection
) -> None:
    status = 404

    async def respond(_delivery: Delivery) -> int:
        return status

    def attempted(times: int) -> bool:
        message = read_message(connection, message_id)
        return message["attempts"] == times and message["claimed_by"] is None

    async with running_delivery(database, respond) as receiver:
        [message_id] = emit(connection)
        for times in range(1, 25):
            await eventually(partial(attempted, times))
            let_time_pass(connection)
        message = read_message(connection, message_id)
        assert (message["status"], message["last_error"]) == ("dead", "webhook: HTTP 404")
        assert len(receiver.deliveries) == 24

        status = 200
        [(answer,)] = connection.execute("select wallet.replay_messages('sam')").fetchall()
        assert answer["replayed"] == 1
        await until_delivered(connection, 1)
    assert receiver.accepted == {message_id: 1}
    assert read_message(connection, message_id)["replayed_by"] == "sam"


async def test_a_receiver_that_does_not_answer_is_not_waited_for(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "TIMEOUT_SECONDS", 0.1)

    async def never(_delivery: Delivery) -> int:
        await asyncio.Event().wait()
        return 200

    async with running_delivery(database, never):
        [message_id] = emit(connection)
        await eventually(lambda: read_message(connection, message_id)["last_error"])
    assert read_message(connection, message_id)["last_error"] == "webhook: TimeoutError"


def test_a_claim_passes_over_what_another_session_is_claiming(connect: Connect) -> None:
    one, two = connect(), connect()
    ids = emit(one, count=3)
    two.execute("set lock_timeout = '1ms'")
    with one.transaction(force_rollback=True):
        [first] = claim(one, "one", limit=1)
        rest = claim(two, "two")
        assert sorted([first, *rest]) == sorted(ids)
    assert claim(two, "two") == [first]


async def test_what_went_wrong_is_told_without_the_secrets_of_the_url(
    database: str, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_receiver() as receiver:
        nobody = receiver.url
    async with running_worker(database, {"SLACK_WEBHOOK_URL": nobody + "/services/hunter2"}):
        [message_id] = emit(connection)
        await eventually(lambda: read_message(connection, message_id)["last_error"])
    error = read_message(connection, message_id)["last_error"]
    assert error == "slack: ClientConnectorError"
    captured = capsys.readouterr()
    assert "message_not_delivered" in captured.out + captured.err
    assert "hunter2" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://hooks.slack.com/services/x", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]/x", True),
        ("http://localhost/x", True),
        ("http://hooks.slack.com/services/hunter2", False),
        ("http://10.0.0.1/hunter2", False),
        ("http://localhost.example.com/hunter2", False),
        ("http://127.0.0.1@example.com/hunter2", False),
    ],
)
async def test_messages_leave_this_machine_encrypted(url: str, accepted: bool) -> None:
    for name in ("SLACK_WEBHOOK_URL", "ALERT_WEBHOOK_URL"):
        values = {name.lower(): url}
        if name == "ALERT_WEBHOOK_URL":
            values["alert_webhook_secret"] = ALERT_SECRET
        settings = Settings.load(**values)
        if accepted:
            async with open_channels(settings) as opened:
                assert len(opened) == 2
        else:
            with pytest.raises(SettingsError) as caught:
                async with open_channels(settings):
                    pass
            assert str(caught.value) == (
                f"{name} is not usable: expected https, or http to this machine."
            )
