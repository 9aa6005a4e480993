"""The ways of docs/page.md to hand a customer's token over, in a real browser and by a backend."""

from __future__ import annotations

import asyncio
import html
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from ..http.app import listen, listener_url
from .browsers import in_browser
from .docs import ACME, Connection
from .docs_examples import examples, run_python
from .postgrest import find_modules
from .services import open_wallet
from .tenants import JWT_SECRET, Customer, make_token, running_wallet_service

PAGE = "docs/page.md"
PUBLIC_URL = "https://pay.example.com"
LIBRARY = "@supabase/supabase-js/dist/umd/supabase.js"

RENDERED, SUPABASE = (example.code for example in examples(PAGE, "html"))

# What an application has anyway: its client, which keeps its session in the browser.
CLIENT = """
    const options = { auth: { storageKey: 'session', autoRefreshToken: false } }
    const client = supabase.createClient(location.origin, 'anon', options)
    export { client as supabase }
"""


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    return open_wallet(connection, org_id=UUID(ACME), balance_pence=12_34)


@dataclass
class Application:
    """A host application of another site, which shows one of the documentation's pages."""

    url: str = ""
    wallet_url: str = ""
    markup: str = ""
    library: str = ""
    token: str = ""

    @property
    def sign_in_url(self) -> str:
        return self.url + "/open-wallet"

    async def show(self, request: web.Request) -> web.Response:
        values = {
            "{{ access_token }}": self.token,
            "{{ return_to }}": request.query.get("return_to", ""),
        }
        markup = self.markup.replace(PUBLIC_URL, self.wallet_url)
        for name, value in values.items():
            markup = markup.replace(name, html.escape(value, quote=True))
        return web.Response(text=markup, content_type="text/html")

    async def show_client(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.library + CLIENT, content_type="text/javascript")

    async def show_login(self, _request: web.Request) -> web.Response:
        return web.Response(text="<title>Log in</title>", content_type="text/html")


@asynccontextmanager
async def running_application(markup: str) -> AsyncIterator[Application]:
    modules = await asyncio.to_thread(find_modules)
    application = Application(markup=markup, library=(modules / LIBRARY).read_text())
    app = web.Application()
    app.router.add_get("/open-wallet", application.show)
    app.router.add_get("/supabase.js", application.show_client)
    app.router.add_get("/login", application.show_login)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        # By this name it is another site than the service.
        application.url = listener_url(listener).replace("127.0.0.1", "localhost")
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield application
        finally:
            await runner.cleanup()


@asynccontextmanager
async def somebody(
    browser: Browser, database: str, markup: str, session: dict[str, Any] | None = None
) -> AsyncIterator[tuple[Page, Application]]:
    """With a browser, and with a session of Supabase's in it or none."""
    async with (
        running_application(markup) as application,
        running_wallet_service(database, sign_in_url=application.sign_in_url) as service,
    ):
        application.wallet_url = service.url
        application.token = make_token(ACME)
        context = await browser.new_context()
        try:
            if session:
                stored = json.dumps(json.dumps(session))
                await context.add_init_script(f"localStorage.setItem('session', {stored})")
            yield await context.new_page(), application
        finally:
            await context.close()


def session_of(token: str) -> dict[str, Any]:
    return {
        "access_token": token,
        "refresh_token": "refresh",
        "token_type": "bearer",
        "expires_in": 3600,
        "expires_at": int(time.time()) + 3600,
        "user": {"id": "00000000-0000-4000-8000-00000000000a"},
    }


@in_browser
@pytest.mark.parametrize("markup", [RENDERED, SUPABASE], ids=["rendered", "supabase"])
async def test_a_customer_gets_to_the_wallet_and_to_where_they_wanted(
    markup: str, browser: Browser, database: str, org_id: UUID
) -> None:
    wanted = "/wallet?topup_id=00000000-0000-4000-8000-000000000009&checkout=cancelled"
    async with somebody(browser, database, markup, session_of(make_token(ACME))) as (page, app):
        await page.goto(app.wallet_url + wanted)
        await expect(page.locator("#balance")).to_have_text("£12.34")
        assert page.url.startswith(app.wallet_url + "/wallet")
        assert "access_token" not in page.url
        [cookie] = await page.context.cookies(app.wallet_url)
        assert (cookie["name"], cookie["httpOnly"]) == ("wallet_session", True)


@in_browser
async def test_who_is_not_signed_in_to_supabase_is_sent_to_log_in(
    browser: Browser, database: str, org_id: UUID
) -> None:
    async with somebody(browser, database, SUPABASE) as (page, app):
        await page.goto(app.wallet_url + "/wallet")
        await expect(page).to_have_title("Log in")


async def test_a_token_that_a_backend_makes_is_a_customers(
    database: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = examples(PAGE, "python")
    namespace: dict[str, Any] = {}
    run_python(example.code, example.place, namespace)
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    token = namespace["wallet_token"]("user-1", "zoe@example.com", str(org_id))
    async with running_wallet_service(database) as service:
        answer = await Customer(service, token).get("/summary")
    assert (answer.status, answer.body["balance_pence"]) == (200, 12_34)
