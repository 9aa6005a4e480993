"""Deliveries: signed, repeated until they are taken, disturbed on demand; and the events list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe

from ..sandbox import webhooks
from .sandboxes import (
    Receiver,
    RunningSandbox,
    running_receiver,
    running_test_sandbox,
)

PAYMENT = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as receiver:
        yield receiver


@pytest.fixture
async def sandbox(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningSandbox]:
    monkeypatch.setattr(webhooks, "FIRST_PAUSE_SECONDS", 0.02)
    async with running_test_sandbox(webhook=receiver.url) as sandbox:
        yield sandbox


async def pay(sandbox: RunningSandbox) -> stripe.PaymentIntent:
    return await sandbox.stripe.v1.payment_intents.create_async(
        {"amount": 50_00, "currency": "gbp", "payment_method": "pm_card_visa", "confirm": True},
        {"idempotency_key": f"key-{await sandbox.count('payment_intent')}"},
    )


async def listed(sandbox: RunningSandbox, **filters: Any) -> list[str]:
    """The types of these events, the newest first."""
    params: Any = {"limit": 100, **filters}
    return [event.type for event in (await sandbox.stripe.v1.events.list_async(params)).data]


async def test_each_change_is_sent_signed_with_what_caused_it(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    """https://docs.stripe.com/webhooks, docs.stripe.com/api/events/object"""
    intent = await pay(sandbox)
    await receiver.wait_for(*PAYMENT)

    [event] = [event for event in receiver.events if event["type"] == PAYMENT[-1]]
    assert event["data"]["object"]["id"] == intent.id
    assert event["api_version"] == "2026-10-28.endive"
    assert (event["livemode"], event["pending_webhooks"]) == (False, 1)
    assert event["request"]["idempotency_key"] == "key-0"
    assert event["request"]["id"].startswith("req_")


async def test_an_event_shows_its_object_as_it_was(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    """https://docs.stripe.com/api/events: a snapshot"""
    intent = await pay(sandbox)
    [created] = await sandbox.objects("event", type="payment_intent.created")
    assert created["data"]["object"]["status"] == "requires_confirmation"
    assert intent.status == "succeeded"


async def test_what_is_not_taken_is_sent_again(sandbox: RunningSandbox, receiver: Receiver) -> None:
    """https://docs.stripe.com/webhooks#automatic-retries"""
    receiver.answers = [500, 302, 404]
    await pay(sandbox)
    async with asyncio.timeout(10):
        while True:
            deliveries = await sandbox.control("GET", "/webhooks/deliveries")
            if {delivery["state"] for delivery in deliveries} == {"delivered"}:
                break
            await asyncio.sleep(0.01)

    assert sum(delivery["attempts"] for delivery in deliveries) == 6
    assert await listed(sandbox, delivery_success=False) == []


async def test_the_receiver_can_be_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://docs.stripe.com/webhooks#automatic-retries"""
    monkeypatch.setattr(webhooks, "FIRST_PAUSE_SECONDS", 0.02)
    async with running_receiver() as receiver:
        url = receiver.url
    async with running_test_sandbox(webhook=url) as sandbox:
        await pay(sandbox)
        assert set(await listed(sandbox, delivery_success=False)) == set(PAYMENT)
        assert (await listed(sandbox, delivery_success=True)) == []


async def test_events_are_dropped_on_demand(sandbox: RunningSandbox, receiver: Receiver) -> None:
    """https://docs.stripe.com/webhooks/process-undelivered-events"""
    await sandbox.control(
        "POST", "/webhooks/disturb", {"action": "drop", "types": ["payment_intent.*"], "times": 2}
    )
    await pay(sandbox)
    await pay(sandbox)
    await receiver.wait_for("charge.succeeded", *PAYMENT)

    assert sorted(receiver.types) == sorted(["charge.succeeded", *PAYMENT])
    undelivered = await listed(sandbox, delivery_success=False)
    assert undelivered == ["payment_intent.succeeded", "payment_intent.created"]


async def test_an_event_is_sent_several_times_on_demand(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    """https://docs.stripe.com/webhooks#handle-duplicate-events"""
    await sandbox.control(
        "POST", "/webhooks/disturb", {"action": "duplicate", "types": [PAYMENT[-1]], "copies": 3}
    )
    await pay(sandbox)
    await receiver.wait_for(*[PAYMENT[-1]] * 3)

    assert len({event["id"] for event in receiver.events if event["type"] == PAYMENT[-1]}) == 1


async def test_events_arrive_late_on_demand(sandbox: RunningSandbox, receiver: Receiver) -> None:
    """https://docs.stripe.com/webhooks#event-ordering"""
    await sandbox.control(
        "POST",
        "/webhooks/disturb",
        {"action": "delay", "types": [PAYMENT[0]], "seconds": 0.2},
    )
    await pay(sandbox)
    await receiver.wait_for(*PAYMENT)

    assert receiver.types[-1] == PAYMENT[0]


async def test_events_arrive_in_another_order_on_demand(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    """https://docs.stripe.com/webhooks#event-ordering"""
    await sandbox.control("POST", "/webhooks/hold")
    await pay(sandbox)
    assert receiver.events == []

    released = await sandbox.control("POST", "/webhooks/release", {"order": "reversed"})
    assert released == {"held": False, "statuses": [200, 200, 200]}
    assert receiver.types == PAYMENT[::-1]
    await pay(sandbox)
    await receiver.wait_for(*PAYMENT, *PAYMENT)


async def test_what_was_delivered_is_sent_again_by_hand(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    """https://docs.stripe.com/webhooks#manual-retries"""
    await pay(sandbox)
    await receiver.wait_for(*PAYMENT)
    [event] = await sandbox.objects("event", type=PAYMENT[-1])
    await sandbox.control("POST", f"/events/{event['id']}/resend")
    await receiver.wait_for(*PAYMENT, PAYMENT[-1])


async def test_an_endpoint_gets_what_it_is_enabled_for_signed_with_its_own_secret(
    sandbox: RunningSandbox, receiver: Receiver
) -> None:
    """https://docs.stripe.com/api/webhook_endpoints/create: the secret comes this once"""
    endpoints = sandbox.stripe.v1.webhook_endpoints
    async with running_receiver() as other:
        made = await endpoints.create_async(
            {
                "url": other.url,
                "enabled_events": ["charge.succeeded"],
                "api_version": "2026-10-28.endive",
                "metadata": {"made_by": "test"},
            }
        )
        assert made.secret is not None
        other.secret = made.secret
        assert (made.status, made.api_version) == ("enabled", "2026-10-28.endive")
        assert "secret" not in await endpoints.retrieve_async(made.id)

        await pay(sandbox)
        await other.wait_for("charge.succeeded")
        await receiver.wait_for(*PAYMENT)
        assert other.types == ["charge.succeeded"]

        changed = await endpoints.update_async(
            made.id, {"enabled_events": ["payment_intent.succeeded"], "disabled": True}
        )
        assert (changed.status, changed.enabled_events) == (
            "disabled",
            ["payment_intent.succeeded"],
        )
        await endpoints.update_async(made.id, {"disabled": False})
        await pay(sandbox)
        await other.wait_for("payment_intent.succeeded")

        await endpoints.delete_async(made.id)
        assert made.id not in [each.id for each in (await endpoints.list_async()).data]


async def test_an_event_that_no_endpoint_is_enabled_for_was_delivered() -> None:
    """https://docs.stripe.com/api/events/list: delivery_success"""
    async with running_test_sandbox() as sandbox:
        await pay(sandbox)
        assert len(await listed(sandbox, delivery_success=True)) == 3
        assert await listed(sandbox, delivery_success=False) == []


async def test_events_are_listed_by_type_and_time() -> None:
    """https://docs.stripe.com/api/events/list"""
    async with running_test_sandbox() as sandbox:
        await pay(sandbox)
        await sandbox.control("POST", "/clock", {"seconds": 3600})
        late = await pay(sandbox)

        assert await listed(sandbox) == [*PAYMENT[::-1], *PAYMENT[::-1]]
        assert await listed(sandbox, type="charge.*") == ["charge.succeeded"] * 2
        assert (
            await listed(sandbox, types=["charge.succeeded", PAYMENT[0]])
            == [
                "charge.succeeded",
                PAYMENT[0],
            ]
            * 2
        )
        assert len(await listed(sandbox, created={"gte": late.created})) == 3

        page = await sandbox.stripe.v1.events.list_async({"limit": 4})
        assert [event.type async for event in page.auto_paging_iter()] == await listed(sandbox)
        [newest] = (await sandbox.stripe.v1.events.list_async({"limit": 1})).data
        assert (await sandbox.stripe.v1.events.retrieve_async(newest.id)).type == PAYMENT[-1]
        assert await listed(sandbox, ending_before=newest.id) == []

        for wrong in ({"types": ["a"] * 21}, {"type": "a", "types": ["b"]}):
            with pytest.raises(stripe.InvalidRequestError):
                await listed(sandbox, **wrong)


async def test_the_list_reaches_back_30_days() -> None:
    """https://docs.stripe.com/api/events/list: going back up to 30 days"""
    async with running_test_sandbox() as sandbox:
        await pay(sandbox)
        await sandbox.control("POST", "/clock", {"seconds": 30 * 24 * 3600})
        assert await listed(sandbox) == []
        assert await sandbox.count("payment_intent") == 1
