"""`wallet sandbox` as a process: what it keeps, where it listens, what it never runs beside."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ..http.app import listen
from ..sandbox.app import running_sandbox
from .sandboxes import (
    SandboxProcess,
    charge_params,
    connected,
    running_receiver,
    running_test_sandbox,
    session_params,
)
from .services import WHSEC, wallet

PAID = "payment_intent.succeeded"


async def test_a_killed_sandbox_knows_everything_when_it_comes_back(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path) as process:
        async with connected(process.wait_for_url()) as sandbox:
            customer, card = await sandbox.add_customer()
            params = charge_params(customer, card)
            create = sandbox.stripe.v1.payment_intents.create_async
            intent = await create(params, {"idempotency_key": "k"})
            session = await sandbox.stripe.v1.checkout.sessions.create_async(session_params())
        process.stop(signal.SIGKILL)

    with SandboxProcess(tmp_path) as process:
        async with connected(process.wait_for_url()) as sandbox:
            create = sandbox.stripe.v1.payment_intents.create_async
            assert (await create(params, {"idempotency_key": "k"})).id == intent.id
            assert (await create(params)).id != intent.id
            assert (await sandbox.pay(session.id))["payment_status"] == "paid"
            assert await sandbox.count("payment_intent") == 3
        assert process.stop() == 0


async def test_what_was_not_delivered_is_delivered_after_a_kill(tmp_path: Path) -> None:
    async with running_receiver() as receiver:
        arguments = ["--webhook-url", receiver.url]
        with SandboxProcess(tmp_path, *arguments, STRIPE_WEBHOOK_SECRET=WHSEC) as process:
            async with connected(process.wait_for_url()) as sandbox:
                await sandbox.control("POST", "/webhooks/hold")
                params = charge_params(*await sandbox.add_customer())
                await sandbox.stripe.v1.payment_intents.create_async(params)
            process.stop(signal.SIGKILL)
        assert PAID not in receiver.types

        with SandboxProcess(tmp_path, *arguments, STRIPE_WEBHOOK_SECRET=WHSEC):
            await receiver.wait_for(PAID)


async def test_events_are_signed_with_the_secret_of_wallet_run(tmp_path: Path) -> None:
    async with running_receiver() as receiver:
        with SandboxProcess(tmp_path, "--webhook-url", receiver.url) as process:
            url = process.wait_for_url()
            receiver.secret = (tmp_path / ".pgwallet" / "webhook_secret").read_text().strip()
            async with connected(url) as sandbox:
                await sandbox.stripe.v1.customers.create_async()
                await receiver.wait_for("customer.created")


def test_it_refuses_to_start_beside_a_live_key(tmp_path: Path) -> None:
    ended = wallet(tmp_path, "sandbox", "--port", "0", STRIPE_SECRET_KEY="rk_live_hunter2")

    assert ended.returncode == 2
    assert "STRIPE_SECRET_KEY is a live key" in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr
    assert not (tmp_path / ".pgwallet").exists()


def test_a_folder_has_one_sandbox(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path) as process:
        process.wait_for_url()
        second = wallet(tmp_path, "sandbox", "--port", "0")
    assert second.returncode == 1
    assert "Another sandbox works in .pgwallet/stripe" in second.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        ended = wallet(tmp_path, "sandbox", "--data", ":memory:", "--port", str(port))
    assert ended.returncode == 1
    assert f"can't listen on port {port}" in ended.stderr


async def test_it_listens_on_this_machine_alone() -> None:
    with listen("0.0.0.0", 0) as listener, pytest.raises(ValueError, match="alone"):  # noqa: S104
        async with running_sandbox(None, listener):
            pass


async def test_the_address_that_it_was_started_with_replaces_the_one_before(
    tmp_path: Path,
) -> None:
    async with running_receiver() as receiver:
        for url in ("http://127.0.0.1:9/", receiver.url):
            async with running_test_sandbox(folder=tmp_path, webhook=url) as sandbox:
                await sandbox.stripe.v1.customers.create_async()
                endpoints = await sandbox.stripe.v1.webhook_endpoints.list_async()
                assert [endpoint.url for endpoint in endpoints.data] == [url]
                if url == receiver.url:
                    await receiver.wait_for("customer.created")
