"""The service and a worker as processes of their own, as deployed, and a day's work for them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from aiohttp import ClientSession

from ..http.app import TOPUPS_PATH, TWILIO_WEBHOOK_PATH, VAPI_WEBHOOK_PATH
from ..http.operator import RECONCILIATION_PATH
from ..sandbox import events
from .recharges import AMOUNT, open_recharging_wallet, spend, states
from .reconciliations import (
    CALL_PENCE,
    days_ago,
    is_done,
    let_nothing_be_due,
    take_place,
)
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import WHSEC, Answer, Service, WalletProcess, balance
from .tenants import JWT_SECRET, make_token
from .test_twilio_webhook import PUBLIC_URL, callback
from .test_twilio_webhook import TOKEN as TWILIO_TOKEN
from .test_twilio_webhook import deliver as deliver_status
from .test_vapi_webhook import SECRET as VAPI_SECRET
from .test_vapi_webhook import report
from .workers import ALERT_SECRET, VAPI_KEY, Receiver, eventually, running_receiver

API_TOKEN = "t0ken-of-the-tests-" + "x" * 20

SERVICE_SETTINGS = {
    "PORT": "0",
    "STRIPE_WEBHOOK_SECRET": WHSEC,
    "STRIPE_SECRET_KEY": KEY,
    "VAPI_WEBHOOK_SECRET": VAPI_SECRET,
    "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
    "PUBLIC_URL": PUBLIC_URL,
    "CHECKOUT_RETURN_URL": "https://shop.example.com/wallet",
    "API_TOKEN": API_TOKEN,
    "JWT_SECRET": JWT_SECRET,
}
WORKER_SETTINGS = {
    "STRIPE_SECRET_KEY": KEY,
    "VAPI_API_KEY": VAPI_KEY,
    "ALERT_WEBHOOK_SECRET": ALERT_SECRET,
}

DAY = days_ago(5)

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Deployment:
    """Processes at work, what stands in for Stripe and Vapi, and who gets the alerts."""

    service: Service
    service_process: WalletProcess
    worker_process: WalletProcess
    sandbox: RunningSandbox
    receiver: Receiver

    async def ask(self, path: str, wish: Mapping[str, Any]) -> Answer:
        """What a backend or an operator asks for."""
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        return await self.service.send(path, json.dumps(wish).encode(), headers)

    async def show(self, path: str, org_id: UUID) -> Answer:
        """What a customer of this organization is shown."""
        headers = {"Authorization": f"Bearer {make_token(org_id)}"}
        async with self.service.client.get(self.service.url + path, headers=headers) as response:
            return Answer(response.status, await response.json())

    def complaints(self) -> list[dict[str, Any]]:
        """What both have logged that is worse than information, but for a forged event."""
        output = self.service_process.output + self.worker_process.output
        lines = [json.loads(line) for line in output.splitlines()]
        return [
            line
            for line in lines
            if line["level"] != "info" and line.get("error") != "invalid_signature"
        ]

    async def tell_of_stripe(self) -> list[str]:
        """Deliver every event that Stripe has made so far; what became of each."""
        page = await self.sandbox.stripe.v1.events.list_async({"limit": 100})
        made = [event.to_dict(for_json=True) for event in page.data]
        return [(await self.service.deliver(event)).outcome for event in reversed(made)]


@asynccontextmanager
async def deployed(
    folder: Path,
    connection: Connection,
    service_url: str,
    worker_url: str,
    *,
    service: Mapping[str, str] | None = None,
    worker: Mapping[str, str] | None = None,
) -> AsyncIterator[Deployment]:
    """Both processes, each with a login of its own; `service` and `worker` are more settings."""
    let_nothing_be_due(connection)
    async with running_test_sandbox() as sandbox, running_receiver() as receiver:
        stripe = {"STRIPE_API_BASE": sandbox.url}
        folders = [folder / name for name in ("service", "worker")]
        for each in folders:
            each.mkdir()
        with (
            WalletProcess(
                folders[0],
                "serve",
                **{"DATABASE_URL": service_url, **SERVICE_SETTINGS, **stripe, **(service or {})},
            ) as service_process,
            WalletProcess(
                folders[1],
                "worker",
                **{"DATABASE_URL": worker_url, **WORKER_SETTINGS, **stripe, **(worker or {})},
                VAPI_API_BASE=sandbox.vapi_url,
                ALERT_WEBHOOK_URL=receiver.url + "/alerts",
            ) as worker_process,
        ):
            url = service_process.wait_for_url()
            worker_process.wait_until(lambda: "worker_started" in worker_process.output)
            async with ClientSession() as client:
                yield Deployment(
                    Service(url, client), service_process, worker_process, sandbox, receiver
                )


async def work_a_day(
    deployment: Deployment, connection: Connection, *, reconciles: bool = True
) -> UUID:
    """All that service and worker are for, once. The wallet that it was done to."""
    org_id = await open_recharging_wallet(connection, deployment.sandbox)
    await top_up(deployment, connection, org_id)
    await bill(deployment, connection, org_id)
    await recharge(deployment, connection, org_id)
    if reconciles:
        await reconcile(deployment, connection, org_id)

    await eventually(lambda: messages(connection, org_id) <= set(deployment.receiver.accepted))
    assert messages(connection, org_id)
    health = await deployment.service.health()
    assert (health.status, health.body["database"]["workers_alive"] > 0) == (200, True)
    return org_id


async def top_up(deployment: Deployment, connection: Connection, org_id: UUID) -> None:
    """A customer of a backend pays £50.00, once, however often Stripe tells of it."""
    before = balance(connection, org_id)
    answer = await deployment.ask(TOPUPS_PATH, {"org_id": str(org_id), "amount_pence": 50_00})
    assert answer.status == 200, answer.body
    await deployment.sandbox.pay(answer.body["checkout_session_id"])
    assert "200 processed" in await deployment.tell_of_stripe()
    assert "200 processed" not in await deployment.tell_of_stripe()
    assert balance(connection, org_id) == before + 50_00

    forged = events.checkout_completed(events.checkout_session(org_id, 50_00))
    assert (await deployment.service.deliver(forged, "whsec_forged")).status == 400


async def bill(deployment: Deployment, connection: Connection, org_id: UUID) -> None:
    """Vapi reports a call; a message of 4 p fails, and is given back."""
    before = balance(connection, org_id)
    body = json.dumps(report(org_id, f"call-{org_id}")).encode()
    for outcome in ("200 processed", "200 duplicate"):
        answer = await deployment.service.send(
            VAPI_WEBHOOK_PATH, body, {"X-Vapi-Secret": VAPI_SECRET}
        )
        assert answer.outcome == outcome
    assert balance(connection, org_id) == before - 85

    sid = f"SM{org_id.hex}"
    connection.execute("select wallet.charge_sms(%s, 'message-1', 1, %s)", [org_id, sid])
    assert balance(connection, org_id) == before - 89
    failed = callback("failed", MessageSid=sid)
    answer = await deliver_status(deployment.service, TWILIO_WEBHOOK_PATH, failed)
    assert answer.outcome == "200 processed"
    assert balance(connection, org_id) == before - 85


async def recharge(deployment: Deployment, connection: Connection, org_id: UUID) -> None:
    """The balance falls below £5.00, and the worker charges the saved card, once."""
    spend(connection, org_id, balance(connection, org_id) - 4_00)
    await eventually(lambda: states(connection, org_id) == ["succeeded"])
    await deployment.tell_of_stripe()
    assert balance(connection, org_id) == 4_00 + AMOUNT


async def reconcile(deployment: Deployment, connection: Connection, org_id: UUID) -> None:
    """An operator asks for a day, of which Vapi has a call that nobody told of."""
    before = balance(connection, org_id)
    await take_place(deployment.sandbox, org_id, DAY)
    answer = await deployment.ask(RECONCILIATION_PATH, {"date": DAY.date().isoformat()})
    assert answer.status == 202, answer.body
    await eventually(lambda: is_done(connection, DAY))
    assert balance(connection, org_id) == before - CALL_PENCE


def messages(connection: Connection, org_id: UUID) -> set[str]:
    """The ids of all that is told of this organization."""
    rows = connection.execute(
        "select id::text from wallet.outbox_messages where org_id = %s", [org_id]
    )
    return {message_id for (message_id,) in rows}
