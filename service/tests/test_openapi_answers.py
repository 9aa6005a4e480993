"""Every answer that the description promises, brought about once and held against it.

No key that isn't described, no status that isn't, and none that never comes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiohttp import ClientSession, DummyCookieJar
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from yarl import URL

from ..http.app import TWILIO_WEBHOOK_PATH, listen, running
from ..http.tenants import COOKIE
from ..sandbox import events
from ..settings import ServiceSettings
from .docs import call
from .openapi import Conversation, Description
from .organizations import fill
from .sandboxes import KEY, RunningSandbox, running_test_sandbox
from .services import WHSEC, Service, running_service, service_url
from .tenants import JWT_SECRET, SigningKey, make_token

Connection = psycopg.Connection[Any]

API_TOKEN = "the-api-token-of-the-tests-" + "x" * 8
SECRET = "the-secret-that-a-provider-knows"
SIGN_IN_URL = "https://shop.example.com/sign-in"
RETURN_URL = "https://shop.example.com/wallet"


@dataclass(frozen=True)
class World:
    database: str
    service: Service
    sandbox: RunningSandbox
    connection: Connection
    org_id: UUID
    talk: Conversation

    @property
    def customer(self) -> dict[str, str]:
        return bearer(make_token(self.org_id))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


OPERATOR = bearer(API_TOKEN)
NOBODY = bearer(make_token(uuid4()))
WITHOUT_ORGANIZATION = bearer(make_token(None))
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def world(database: str, connect: Callable[..., Connection]) -> AsyncIterator[World]:
    connection = connect()
    org_id = fill(connection, "acme", 12_34)
    # The sandbox never met the customer that it has there.
    connection.execute("update wallet.organizations set stripe_customer_id = null")
    async with (
        running_test_sandbox() as sandbox,
        running_service(database, **settings_for(sandbox)) as service,
        ClientSession(cookie_jar=DummyCookieJar()) as client,
    ):
        talk = Conversation(client, Description(closed=True))
        yield World(database, service, sandbox, connection, org_id, talk)


def settings_for(sandbox: RunningSandbox) -> dict[str, Any]:
    return {
        "stripe_secret_key": KEY,
        "stripe_api_base": sandbox.url,
        "vapi_webhook_secret": SECRET,
        "twilio_auth_token": SECRET,
        "api_token": API_TOKEN,
        "jwt_secret": JWT_SECRET,
        "checkout_return_url": RETURN_URL,
    }


async def test_every_answer_comes_and_is_as_described(world: World) -> None:
    await customers_read(world)
    await customers_pay(world)
    await customers_set(world)
    await browsers_sign_in(world)
    await backends_start_topups(world)
    await operators_look(world)
    await providers_report(world)
    await nobody_is_served_without_the_database(world)
    await nobody_signs_in_without_keys(world)
    assert not world.talk.unseen()


READS: dict[str, dict[str, Any]] = {
    "getWalletSummary": {},
    "listTransactions": {"params": [("limit", "2"), ("type", "topup"), ("type", "bonus")]},
    "exportTransactions": {"params": {"from": "2026-11-01T00:00:00Z"}},
    "getWalletHistory": {"params": {"from": "2026-11-01", "to": "2026-11-30"}},
    "getAutoRecharge": {},
    "listTopupOptions": {},
    "quoteTopup": {"params": {"usd_cents": "2500"}},
}
BAD_QUERIES: dict[str, dict[str, Any]] = {
    "listTransactions": {"params": {"limit": "0"}},
    "exportTransactions": {"params": {"type": "gift"}},
    "getWalletHistory": {"params": {"from": "2026-11-01"}},
    "quoteTopup": {},
}


async def customers_read(world: World) -> None:
    ask, service = world.talk.ask, world.service
    for name, request in READS.items():
        await ask(service, 200, name, headers=world.customer, **request)
        await ask(service, 401, name, **request)
        await ask(service, 403, name, headers=WITHOUT_ORGANIZATION, **request)
        await ask(service, 404, name, headers=NOBODY, **request)
    for name, request in BAD_QUERIES.items():
        await ask(service, 400, name, headers=world.customer, **request)
    for each in topups(world):
        await ask(service, 200, "getTopup", headers=world.customer, ids={"topup_id": each})
    await ask(service, 200, "quoteTopup", headers=world.customer, params={"amount_pence": "1975"})
    swedish = uuid4()
    call(world.connection, "create_wallet", swedish, p_currency="sek")
    await ask(
        service, 409, "quoteTopup", headers=bearer(make_token(swedish)), params={"usd_cents": "1"}
    )
    await ask(service, 200, "listTopupOptions", headers=bearer(make_token(swedish)))


def topups(world: World) -> list[str]:
    rows = world.connection.execute("select id::text from wallet.topups order by created_at")
    return [topup_id for (topup_id,) in rows]


async def customers_pay(world: World) -> None:
    ask, service, mine = world.talk.ask, world.service, world.customer
    begun = await ask(service, 200, "startTopup", headers=mine, json={"amount_pence": 20_00})
    paid, *_ = topups(world)
    for name in ("getTopup", "streamTopup"):
        await ask(service, 200, name, headers=mine, ids={"topup_id": paid})
        await ask(service, 400, name, headers=mine, ids={"topup_id": "1"})
        await ask(service, 401, name, ids={"topup_id": paid})
        await ask(service, 403, name, headers=WITHOUT_ORGANIZATION, ids={"topup_id": paid})
        await ask(service, 404, name, headers=mine, ids={"topup_id": uuid4()})
        await ask(service, 404, name, headers=NOBODY, ids={"topup_id": paid})
    pending = await ask(service, 200, "getTopup", headers=mine, ids={"topup_id": begun["topup_id"]})
    assert pending["checkout_url"] == begun["checkout_url"]

    for status, wish in (
        (400, {"amount_pence": 0}),
        (422, {"amount_pence": 1}),
        (422, {"plan": "none"}),
        (409, {"amount_pence": 20_00, "request_key": "click acme"}),
    ):
        await ask(service, status, "startTopup", headers=mine, json=wish)
    await ask(service, 401, "startTopup", json={})
    await ask(service, 403, "startTopup", headers=WITHOUT_ORGANIZATION, json={})
    await ask(service, 404, "startTopup", headers=NOBODY, json={"amount_pence": 20_00})
    await ask(service, 413, "startTopup", headers=mine, data=b" " * 300_000)
    await ask(service, 415, "startTopup", headers=in_cookie(world), data=b"{}")
    for status in (429, 400):
        await world.sandbox.fault("POST", "/v1/checkout/sessions", answer=status)
        wish = {"amount_pence": 30_00 + status}
        await ask(service, 502, "startTopup", headers=mine, json=wish)


def in_cookie(world: World) -> dict[str, str]:
    token = make_token(world.org_id)
    return {"Cookie": f"{COOKIE}={token}", "Origin": world.service.url}


async def customers_set(world: World) -> None:
    ask, service, mine = world.talk.ask, world.service, world.customer
    wish = {"enabled": True, "threshold_pence": 1_00, "amount_pence": 20_00}
    off = await ask(service, 200, "setAutoRecharge", headers=mine, json={"enabled": False})
    on = await ask(service, 200, "setAutoRecharge", headers=mine, json=wish)
    assert (off["obstacle"], on["duplicate"]) == ("off", False)
    await ask(service, 400, "setAutoRecharge", headers=mine, json={"enabled": "yes"})
    await ask(service, 401, "setAutoRecharge", json=wish)
    await ask(service, 403, "setAutoRecharge", headers=WITHOUT_ORGANIZATION, json=wish)
    elsewhere = in_cookie(world) | {"Origin": "https://evil.example"}
    await ask(service, 403, "setAutoRecharge", headers=elsewhere, json=wish)
    await ask(service, 404, "setAutoRecharge", headers=NOBODY, json=wish)
    await ask(service, 413, "setAutoRecharge", headers=mine, data=b" " * 300_000)
    await ask(service, 415, "setAutoRecharge", headers=in_cookie(world), data=b"{}")


async def browsers_sign_in(world: World) -> None:
    ask, service = world.talk.ask, world.service
    ours = {"Origin": service.url}
    form = {"access_token": make_token(world.org_id)}
    await ask(service, 303, "showEntrance")
    await ask(service, 200, "showPage")
    await ask(service, 303, "openSession", headers=ours, data=form)
    await ask(service, 400, "openSession", headers=ours, data="a=1&" * 50)
    await ask(service, 401, "openSession", headers=ours, data={"access_token": "x"})
    await ask(service, 403, "openSession", data=form)
    nowhere = {"access_token": make_token(None)}
    await ask(service, 403, "openSession", headers=ours, data=nowhere)
    await ask(service, 413, "openSession", headers=ours, data=b" " * 300_000)
    await ask(service, 303, "closeSession", headers=ours)
    await ask(service, 403, "closeSession")
    for name in ("page.js", "page.css", "favicon.svg"):
        await ask(service, 200, "showAsset", ids={"name": name})
    await ask(service, 304, "showAsset", ids={"name": "page.js"}, headers={"If-None-Match": "*"})
    await ask(service, 404, "showAsset", ids={"name": "none.js"})
    await ask(service, 200, "getDescription")
    await ask(service, 304, "getDescription", headers={"If-None-Match": "*"})


async def backends_start_topups(world: World) -> None:
    ask, service = world.talk.ask, world.service
    connection, org_id = world.connection, world.org_id
    call(connection, "set_topup_plan", "starter", "Starter", "gbp", 45_00, 45_00, "a test", 5_00)
    wish = {"org_id": str(org_id), "plan": "starter", "request_key": "click-1"}
    wish |= {"return_url": RETURN_URL, "user_id": "user-7", "user_email": "zoe@example.com"}
    begun = await ask(service, 200, "startTopup", headers=OPERATOR, json=wish)
    await ask(service, 409, "startTopup", headers=OPERATOR, json=wish | {"plan": "other"})
    await ask(
        service,
        409,
        "startTopup",
        headers=OPERATOR,
        json={
            "org_id": str(org_id),
            "amount_pence": 50_00,
            "request_key": "click-1",
        },
    )
    connection.execute(
        "update wallet.topups set status = 'expired' where id = %s", [begun["topup_id"]]
    )
    closed = await ask(service, 409, "startTopup", headers=OPERATOR, json=wish)
    assert closed["error"] == "topup_closed"
    swedish = uuid4()
    call(connection, "create_wallet", swedish, p_currency="sek")
    other = {"org_id": str(swedish), "amount_pence": 50_00}
    refused = await ask(service, 422, "startTopup", headers=OPERATOR, json=other)
    assert refused["error"] == "currency_not_offered"
    call(connection, "freeze_wallet", org_id, "a test", "a test")
    frozen = await ask(
        service, 409, "startTopup", headers=OPERATOR, json=wish | {"request_key": "2"}
    )
    assert frozen["error"] == "wallet_frozen"
    call(connection, "unfreeze_wallet", org_id, "a test", "a test")


async def operators_look(world: World) -> None:
    ask, service = world.talk.ask, world.service
    failed = events.checkout_completed(events.checkout_session(uuid4(), 50_00))
    call(world.connection, "process_stripe_event", failed)
    for name in ("getHealth", "getMetrics"):
        await ask(service, 200, name)
    for name in ("getQueueHealth", "listRecentFailures", "getQueueStats"):
        await ask(service, 200, name, headers=OPERATOR)
        await ask(service, 401, name, headers=world.customer)
    await ask(service, 400, "listRecentFailures", headers=OPERATOR, params={"limit": "0"})

    await ask(service, 202, "triggerReconciliation", headers=OPERATOR)
    await ask(service, 400, "triggerReconciliation", headers=OPERATOR, json={"date": "9999-01-01"})
    [(done,)] = world.connection.execute(
        "select event_id from wallet.processed_stripe_webhooks where status = 'processed' limit 1"
    ).fetchall()
    await ask(service, 200, "replayEvent", headers=OPERATOR, json={"event_id": done})
    await ask(service, 400, "replayEvent", headers=OPERATOR, json={"event_id": " "})
    await ask(service, 404, "replayEvent", headers=OPERATOR, json={"event_id": "evt_none"})
    await ask(service, 409, "replayEvent", headers=OPERATOR, json={"event_id": failed["id"]})
    for name in ("triggerReconciliation", "replayEvent"):
        await ask(service, 401, name, json={})
        await ask(service, 413, name, headers=OPERATOR, data=b" " * 300_000)


async def providers_report(world: World) -> None:
    ask, service = world.talk.ask, world.service
    paid = events.checkout_completed(events.checkout_session(world.org_id, 50_00))
    live = paid | {"livemode": True, "id": "evt_live"}
    for status, body in (
        (200, events.encode(paid)),
        (400, b"{}"),
        (413, b" " * 300_000),
        (500, events.encode(live)),
    ):
        await ask(service, status, "receiveStripeEvent", **signed_by_stripe(body))

    report = {
        "message": {
            "type": "end-of-call-report",
            "startedAt": "2026-11-21T10:00:00Z",
            "endedAt": "2026-11-21T10:01:31Z",
            "call": {"id": "vapi-9", "metadata": {"org_id": str(world.org_id)}},
        }
    }
    unknown = json.loads(json.dumps(report).replace(str(world.org_id), str(uuid4())))
    unknown["message"]["call"]["id"] = "vapi-10"
    known = {"X-Vapi-Secret": SECRET}
    await ask(service, 200, "receiveCallReport", json=report, headers=known)
    await ask(service, 200, "receiveCallReport", json={"message": {"type": "x"}}, headers=known)
    await ask(service, 400, "receiveCallReport", json={}, headers=known)
    await ask(service, 401, "receiveCallReport", json=report)
    await ask(service, 413, "receiveCallReport", data=b" " * 2_200_000, headers=known)
    await ask(service, 500, "receiveCallReport", json=unknown, headers=known)

    sid = {"MessageSid": "SM9", "MessageStatus": "failed"}
    mine = {"org_id": str(world.org_id), "message_id": "message-1 acme"}
    call(
        world.connection,
        "add_wallet_credits",
        world.org_id,
        1,
        "bonus",
        p_idempotency_key="refund:sms:message-1 acme",
    )
    await ask(service, 200, "receiveSmsStatus", **signed_by_twilio(service, sid, {}))
    await ask(service, 400, "receiveSmsStatus", data=sid)
    await ask(service, 413, "receiveSmsStatus", data=b" " * 300_000)
    await ask(
        service,
        500,
        "receiveSmsStatus",
        **signed_by_twilio(service, sid | {"MessageSid": "SM10"}, mine),
    )


def signed_by_stripe(body: bytes) -> dict[str, Any]:
    return {"data": body, "headers": {"Stripe-Signature": events.sign(body, WHSEC)}}


def signed_by_twilio(
    service: Service, form: dict[str, str], query: dict[str, str]
) -> dict[str, Any]:
    url = str(URL(service.url + TWILIO_WEBHOOK_PATH).with_query(query))
    signature = RequestValidator(SECRET).compute_signature(url, form)
    return {"data": form, "params": query, "headers": {"X-Twilio-Signature": signature}}


async def nobody_is_served_without_the_database(world: World) -> None:
    ask, settings = world.talk.ask, settings_for(world.sandbox)
    settings |= {"database_url": "postgresql://nobody@127.0.0.1:9/none"}
    async with running_alone(**settings, database_timeout_seconds=0.2) as service:
        await asyncio.gather(
            *(
                ask(service, 503, name, headers=world.customer, **request)
                for name, request in READS.items()
            ),
            *(
                ask(service, 503, name, headers=OPERATOR)
                for name in ("getQueueHealth", "listRecentFailures", "getQueueStats", "getHealth")
            ),
            *(
                ask(service, 503, name, headers=world.customer, ids={"topup_id": uuid4()})
                for name in ("getTopup", "streamTopup")
            ),
            ask(service, 503, "startTopup", headers=world.customer, json={"amount_pence": 20_00}),
            ask(service, 503, "setAutoRecharge", headers=world.customer, json={"enabled": True}),
            ask(service, 503, "triggerReconciliation", headers=OPERATOR),
            ask(service, 503, "replayEvent", headers=OPERATOR, json={"event_id": "evt_1"}),
            ask(service, 503, "receiveStripeEvent", **signed_by_stripe(b"{}")),
            ask(service, 503, "receiveCallReport", json={}, headers={"X-Vapi-Secret": SECRET}),
            ask(service, 503, "receiveSmsStatus", **signed_by_twilio(service, {"a": "b"}, {})),
        )


async def nobody_signs_in_without_keys(world: World) -> None:
    ask, keys = world.talk.ask, "http://127.0.0.1:9/jwks.json"
    settings = {"database_url": service_url(world.database), "sign_in_url": SIGN_IN_URL}
    async with running_alone(**settings, jwt_jwks_url=keys) as service:
        await ask(service, 303, "showPage")
        form = {"access_token": SigningKey.new().token(world.org_id)}
        await ask(service, 503, "openSession", headers={"Origin": service.url}, data=form)


@asynccontextmanager
async def running_alone(**settings: Any) -> AsyncIterator[Service]:
    """The service with these settings, whether they lead it to a database or not."""
    loaded = ServiceSettings.load(stripe_webhook_secret=WHSEC, **settings)
    with listen("127.0.0.1", 0) as listener:
        async with running(loaded, listener) as url, ClientSession() as client:
            yield Service(url, client)
