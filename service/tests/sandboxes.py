"""The sandbox as the tests use it: within the test's loop, or as a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import ClientSession, web
from stripe import StripeClient, WebhookSignature

from ..http.app import listen, listener_url
from ..sandbox.app import running_sandbox
from ..sandbox.vapi import LIST_PATH
from ..settings import Settings
from ..stripe_api.client import stripe_client
from .services import WHSEC, WalletProcess

KEY = "sk_test_sandbox"


@dataclass(frozen=True)
class RunningSandbox:
    """A running sandbox, and the means to disturb it and to look into it."""

    url: str
    client: ClientSession
    stripe: StripeClient
    key: str = KEY

    async def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer of the control API, such as `control("POST", "/clock", {"seconds": 60})`."""
        async with self.client.request(method, f"{self.url}/_sandbox{path}", json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def fault(self, method: str, path: str, **fault: Any) -> None:
        """What goes wrong with the next request; the fields are those of faults.Fault."""
        await self.control("POST", "/faults", {"method": method, "path": path, **fault})

    async def objects(self, kind: str, **fields: str) -> list[dict[str, Any]]:
        """All objects of a kind with these fields, the oldest first."""
        async with self.client.get(
            f"{self.url}/_sandbox/objects/{kind}", params=fields
        ) as response:
            data: list[dict[str, Any]] = (await response.json())["data"]
            return data

    async def count(self, kind: str, **fields: str) -> int:
        return len(await self.objects(kind, **fields))

    async def requests(self, method: str, path: str) -> list[dict[str, Any]]:
        """Those that were received of this kind, with their idempotency keys."""
        return [
            request
            for request in await self.control("GET", "/requests")
            if (request["method"], request["path"]) == (method, path)
        ]

    async def forget_keys(self) -> None:
        """As Stripe may do with idempotency keys after 24 hours."""
        await self.control("DELETE", "/idempotency_keys")

    async def add_customer(self, card: str = "pm_card_visa") -> tuple[str, str]:
        """The ids of a customer and of the card that it has."""
        customer = await self.stripe.v1.customers.create_async()
        payment_method = await self.stripe.v1.payment_methods.attach_async(
            card, {"customer": customer.id}
        )
        return customer.id, payment_method.id

    @property
    def vapi_url(self) -> str:
        """The base of the stand-in for Vapi's API."""
        return self.url + "/vapi"

    async def make_calls(self, *calls: Mapping[str, Any], **new: Any) -> list[str]:
        """The ids of calls that took place at Vapi; the fields are those of NewCall and NewCalls.

        `make_calls(count=10, call={...})` makes ten alike, a second apart.
        """
        answer = await self.control("POST", "/vapi/calls", {"calls": list(calls), **new})
        ids: list[str] = answer["ids"]
        return ids

    async def listings(self) -> list[dict[str, str]]:
        """The parameters of every request for a list of calls, the first one first."""
        return [
            dict(parse_qsl(request["query"])) for request in await self.requests("GET", LIST_PATH)
        ]

    async def pay(self, session_id: str, card: str = "4242424242424242") -> dict[str, Any]:
        """What the hosted page does when somebody pays there."""
        answer: dict[str, Any] = await self.control(
            "POST", f"/checkout/sessions/{session_id}/pay", {"card": card}
        )
        return answer


def charge_params(customer: str, payment_method: str, **params: Any) -> Any:
    """An off-session payment of £50.00, confirmed at once."""
    return {
        "amount": 50_00,
        "currency": "gbp",
        "customer": customer,
        "payment_method": payment_method,
        "off_session": True,
        "confirm": True,
        **params,
    }


def session_params(**params: Any) -> Any:
    """A Checkout Session of £50.00."""
    return {
        "mode": "payment",
        "success_url": "https://example.com/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://example.com/wallet",
        "line_items": [
            {
                "price_data": {
                    "currency": "gbp",
                    "unit_amount": 50_00,
                    "product_data": {"name": "Top-up"},
                },
                "quantity": 1,
            }
        ],
        **params,
    }


@asynccontextmanager
async def running_test_sandbox(
    *,
    folder: Path | None = None,
    webhook: str | None = None,
    secret: str = WHSEC,
    max_network_retries: int = 0,
) -> AsyncIterator[RunningSandbox]:
    """A sandbox within the test's loop, in memory unless it has a folder."""
    with listen("127.0.0.1", 0) as listener:
        async with (
            running_sandbox(folder, listener, (webhook, secret) if webhook else None) as url,
            connected(url, max_network_retries=max_network_retries) as sandbox,
        ):
            yield sandbox


@asynccontextmanager
async def connected(url: str, *, max_network_retries: int = 0) -> AsyncIterator[RunningSandbox]:
    """A sandbox that runs elsewhere."""
    settings = Settings.load(stripe_secret_key=KEY, stripe_api_base=url)
    async with (
        ClientSession() as client,
        stripe_client(settings, max_network_retries=max_network_retries) as stripe,
    ):
        yield RunningSandbox(url, client, stripe)


class SandboxProcess(WalletProcess):
    """`wallet sandbox` as a process of its own, which keeps its objects in the folder."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0, **settings: str) -> None:
        super().__init__(folder, "sandbox", "--port", str(port), *arguments, **settings)

    def wait_for_url(self) -> str:
        [url] = self.wait_until(
            lambda: re.findall(r'"event": "sandbox_started", "url": "(.*?)"', self.output)
        )
        return str(url)


@dataclass
class Receiver:
    """A webhook that takes what is signed with its secret."""

    url: str = ""
    secret: str = WHSEC
    events: list[dict[str, Any]] = field(default_factory=list)
    # What it answers to the next deliveries, before it answers 200 again.
    answers: list[int] = field(default_factory=list)
    _arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def wait_for(self, *types: str) -> None:
        """Until all of these have come."""
        async with asyncio.timeout(10), self._arrival:
            await self._arrival.wait_for(lambda: not Counter(types) - Counter(self.types))

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.text()
        header = request.headers["Stripe-Signature"]
        WebhookSignature.verify_header(body, header, self.secret, tolerance=300)
        async with self._arrival:
            self.events.append(json.loads(body))
            self._arrival.notify_all()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/", receiver._receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        receiver.url = listener_url(listener) + "/"
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield receiver
        finally:
            await runner.cleanup()
