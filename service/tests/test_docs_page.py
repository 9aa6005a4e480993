"""What the documentation tells those who put the wallet behind an application of their own."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from ..sandbox import events
from .docs import ACME, Connection, call, codes, deliver, domain_values, functions_of, table
from .docs_examples import Comparison, Example, examples, read_curl
from .postgrest import Supabase, running_supabase
from .sandboxes import running_test_sandbox
from .services import Service
from .tenants import make_token, running_wallet_service

OWN_PAGE = "docs/own-page.md"
PUBLIC_URL = "https://pay.example.com"


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


class Reader:
    """Somebody who types the commands of docs/own-page.md, one after the other."""

    def __init__(self, service: Service, supabase: Supabase, stripe_url: str) -> None:
        self.service = service
        self.supabase = supabase
        self.stripe_url = stripe_url
        self.token = make_token(ACME, supabase.secret)
        self.topup_id = ""
        self._definitions = ""

    async def run(self, example: Example) -> str:
        """What comes of it."""
        if example.language == "sh":
            return await self.curl(example.code)
        output = await self.supabase.run(
            self._definitions + example.code,
            ACCESS_TOKEN=self.token,
            SUPABASE_ANON_KEY=self.supabase.sign({"role": "anon"}),
        )
        if example.answer is None:
            self._definitions += example.code
        return output

    async def curl(self, code: str) -> str:
        for name, value in (("$TOKEN", self.token), ("$TOPUP_ID", self.topup_id)):
            code = code.replace(name, value)
        request = read_curl(with_days_of_today(code), "")
        async with self.service.client.request(
            request.method,
            self.service.url + request.path,
            data=request.body,
            headers=request.headers,
        ) as response:
            text = await response.text("utf-8-sig")
        text = text.replace(self.stripe_url, "https://checkout.stripe.com")
        if response.content_type == "application/json":
            self.topup_id = json.loads(text).get("topup_id", self.topup_id)
        return text


def with_days_of_today(code: str) -> str:
    today = datetime.now(ZoneInfo("Europe/London")).date()
    yesterday = today - timedelta(days=1)
    return code.replace("from=2026-11-20", f"from={yesterday}").replace(
        "to=2026-11-21", f"to={today}"
    )


@asynccontextmanager
async def running_services(database: str, connection: Connection) -> AsyncIterator[Reader]:
    """A wallet with a top-up, a call and a saved card, behind the service and behind Supabase."""
    async with (
        running_supabase(database) as supabase,
        running_test_sandbox() as sandbox,
        running_wallet_service(
            database,
            jwt_secret=supabase.secret,
            public_url=PUBLIC_URL,
            stripe_secret_key=sandbox.key,
            stripe_api_base=sandbox.url,
        ) as service,
    ):
        call(connection, "create_wallet", ACME, "Acme Ltd")
        call(
            connection,
            "add_wallet_credits",
            ACME,
            50_00,
            "topup",
            "pi_3Qa7example",
            p_description="Top-up",
        )
        call(
            connection,
            "deduct_call_credits",
            ACME,
            "call-1",
            None,
            50,
            70,
            85,
            p_description="Call of 91 seconds",
        )
        customer, card = await sandbox.add_customer()
        call(connection, "attach_stripe_customer", ACME, customer)
        attached = events.card_payment_method(
            created=0, payment_method_id=card, customer_id=customer
        )
        deliver(connection, events.event("payment_method.attached", attached))
        yield Reader(service, supabase, sandbox.url)


def pay(connection: Connection, topup_id: str) -> None:
    """What Stripe tells of a top-up that was paid."""
    [(session_id, amount, metadata)] = connection.execute(
        """
        select stripe_checkout_session_id, price_pence, stripe_request -> 'metadata'
          from wallet.topups where id = %s
        """,
        [topup_id],
    ).fetchall()
    session = events.checkout_session(UUID(ACME), amount, session_id=session_id, metadata=metadata)
    deliver(connection, events.checkout_completed(session))


async def test_the_examples(database: str, connection: Connection) -> None:
    found = examples(OWN_PAGE, "sh", "js")
    comparison = Comparison("\n".join(example.code for example in found))
    async with running_services(database, connection) as reader:
        for example in found:
            if "/events" in example.code:
                pay(connection, reader.topup_id)
            output = await reader.run(example)
            if example.answer is None:
                assert not output, f"{example.place} prints what is not shown"
            elif example.answer_language == "text" and "…" in example.answer:
                assert_abridged(example, output)
            else:
                comparison.check(example, output)


def assert_abridged(example: Example, output: str) -> None:
    """Where a … stands anything may."""
    parts = [re.escape(part.strip()) for part in (example.answer or "").split("…")]
    assert re.fullmatch(r"[^}]*".join(parts), output.strip()), f"{example.place}: {output}"


def test_each_function_of_a_customer_is_documented(connection: Connection) -> None:
    documented = codes(table(OWN_PAGE, "What a customer may do"))
    assert sorted(documented) == sorted(functions_of(connection, "authenticated"))


def test_each_status_of_a_topup_is_documented(connection: Connection) -> None:
    documented = set(codes(table(OWN_PAGE, "Wait for a payment")))
    assert documented == domain_values(connection, "topup_status")


async def test_the_claim_of_an_organization_is_written_as_supabase_takes_it(database: str) -> None:
    (example,) = examples("docs/page.md", "javascript")
    code = """
        import { createClient } from '@supabase/supabase-js'
        async function fetch(url, { method, body }) {
            console.log(method, new URL(url).pathname, body)
            return Response.json({ id: userId })
        }
        const options = { global: { fetch } }
        const supabase = createClient('https://project.example', 'key', options)
        const userId = '00000000-0000-4000-8000-00000000000a'
        const orgId = '6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10'
    """
    async with running_supabase(database) as supabase:
        output = await supabase.run(code + example.code)
    assert output.split() == [
        "PUT",
        "/auth/v1/admin/users/00000000-0000-4000-8000-00000000000a",
        f'{{"app_metadata":{{"org_id":"{ACME}"}}}}',
    ]
