"""Faults on demand: before the commit nothing exists, after it everything does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import stripe

from ..sandbox.faults import Fault
from .sandboxes import RunningSandbox, charge_params, running_test_sandbox

INTENTS = "/v1/payment_intents"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def params(sandbox: RunningSandbox) -> Any:
    return charge_params(*await sandbox.add_customer())


async def charge(sandbox: RunningSandbox, params: Any) -> stripe.PaymentIntent:
    return await sandbox.stripe.v1.payment_intents.create_async(params, {"idempotency_key": "k"})


@pytest.mark.parametrize("status", [500, 503, 409, 429])
async def test_an_error_before_execution_leaves_nothing(
    sandbox: RunningSandbox, params: Any, status: int
) -> None:
    """https://docs.stripe.com/error-low-level: neither 409 nor 429 is saved"""
    await sandbox.fault("POST", INTENTS, answer=status, times=2)

    for _ in range(2):
        with pytest.raises(stripe.StripeError) as error:
            await charge(sandbox, params)
        assert error.value.http_status == status
        assert await sandbox.count("payment_intent") == 0
    assert (await charge(sandbox, params)).status == "succeeded"
    assert await sandbox.count("payment_intent") == 1


async def test_a_500_that_came_up_during_execution_is_replayed(
    sandbox: RunningSandbox, params: Any
) -> None:
    """https://docs.stripe.com/api/idempotent_requests: including 500 errors"""
    await sandbox.fault("POST", INTENTS, answer=500, after_commit=True, saved=True)

    for _ in range(3):
        with pytest.raises(stripe.APIError) as error:
            await charge(sandbox, params)
        assert error.value.http_status == 500
    assert await sandbox.count("payment_intent", status="succeeded") == 1


async def test_a_500_after_the_commit_that_was_not_saved_hides_a_success(
    sandbox: RunningSandbox, params: Any
) -> None:
    """https://docs.stripe.com/error-low-level: the result of a 500 is indeterminate"""
    await sandbox.fault("POST", INTENTS, answer=500, after_commit=True)

    with pytest.raises(stripe.APIError):
        await charge(sandbox, params)
    [made] = await sandbox.objects("payment_intent")
    assert (await charge(sandbox, params)).id == made["id"]


@pytest.mark.parametrize(("after_commit", "made"), [(False, 0), (True, 1)])
async def test_a_connection_that_breaks_tells_nothing_of_the_payment(
    sandbox: RunningSandbox, params: Any, after_commit: bool, made: int
) -> None:
    """https://docs.stripe.com/error-low-level: network errors"""
    await sandbox.fault("POST", INTENTS, answer="drop", after_commit=after_commit)

    with pytest.raises(stripe.APIConnectionError):
        await charge(sandbox, params)
    assert await sandbox.count("payment_intent") == made
    assert (await charge(sandbox, params)).status == "succeeded"
    assert await sandbox.count("payment_intent") == 1


@pytest.mark.parametrize(("after_commit", "made"), [(False, 0), (True, 1)])
async def test_an_answer_that_never_comes_can_be_given_up(
    sandbox: RunningSandbox, params: Any, after_commit: bool, made: int
) -> None:
    """https://docs.stripe.com/error-low-level: network errors"""
    await sandbox.fault("POST", INTENTS, answer="hang", after_commit=after_commit)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await charge(sandbox, params)
    assert await sandbox.count("payment_intent") == made
    async with asyncio.timeout(5):
        while True:
            # The key is free once the sandbox has noticed that nobody waits.
            with suppress(stripe.APIError):
                assert (await charge(sandbox, params)).status == "succeeded"
                break
    assert await sandbox.count("payment_intent") == 1


async def test_the_client_itself_repeats_what_may_be_repeated() -> None:
    """https://docs.stripe.com/error-low-level: the SDKs retry with the same key"""
    async with running_test_sandbox(max_network_retries=2) as sandbox:
        params = charge_params(*await sandbox.add_customer())
        await sandbox.fault("POST", INTENTS, answer="drop", after_commit=True)

        assert (await charge(sandbox, params)).status == "succeeded"
        assert len(await sandbox.requests("POST", INTENTS)) == 2
        assert await sandbox.count("payment_intent") == 1


async def test_a_fault_is_for_a_method_and_a_path(sandbox: RunningSandbox, params: Any) -> None:
    await sandbox.fault("GET", INTENTS, answer=500)
    await sandbox.fault("POST", "/v1/payment_intents/*/cancel", answer=500)

    intent = await charge(sandbox, params)
    with pytest.raises(stripe.APIError):
        await sandbox.stripe.v1.payment_intents.cancel_async(intent.id)
    assert [fault["method"] for fault in await sandbox.control("GET", "/faults")] == ["GET"]
    assert await sandbox.control("DELETE", "/faults") == []


def test_only_an_error_can_be_saved() -> None:
    for wrong in ({"saved": True}, {"answer": "hang", "saved": True}, {"answer": 200}):
        with pytest.raises(ValueError, match="validation error"):
            Fault.model_validate(wrong)
