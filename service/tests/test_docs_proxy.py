"""docs/page.md puts the page below a path of an application's host: a whole top-up there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from playwright.async_api import Browser, expect

from ..http.app import STRIPE_WEBHOOK_PATH, listen, listener_url, running
from ..run import ensure_service_role
from ..sandbox.app import running_sandbox
from ..sandbox.sign_in import SIGN_IN_PATH, HostApplication
from ..settings import ServiceSettings
from .browsers import in_browser
from .docs import Connection
from .docs_examples import examples, read
from .sandboxes import KEY
from .services import WHSEC, open_wallet, service_url
from .tenants import JWT_SECRET
from .wallet_page import go_to_payment, loaded, pay, shows_balance, shows_payment

HOP_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})


@pytest.fixture
def org_id(connect: Callable[..., Connection]) -> UUID:
    return open_wallet(connect())


def documented_location() -> tuple[str, str]:
    """The path that the example of nginx takes off, and what it asks for in its place."""
    (example,) = examples("docs/page.md", "nginx")
    [location] = re.findall(r"location (\S+) \{", example.code)
    [path] = re.findall(r"proxy_pass http://127\.0\.0\.1:8080(\S*);", example.code)
    [public_path] = re.findall(r"PUBLIC_URL='https://app\.example\.com(\S+)'", read("docs/page.md"))
    assert location == public_path + "/"
    return location, path


@asynccontextmanager
async def running_proxy() -> AsyncIterator[tuple[str, dict[str, str]]]:
    """What nginx would do; where the service is may be said later."""
    location, path = documented_location()
    upstream: dict[str, str] = {}

    async def forward(request: web.Request) -> web.StreamResponse:
        url = upstream["url"] + path + request.raw_path.removeprefix(location)
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in HOP_HEADERS
        }
        async with client.request(
            request.method, url, headers=headers, data=await request.read(), allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_HEADERS:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    app = web.Application()
    app.router.add_route("*", location + "{path:.*}", forward)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        async with ClientSession(auto_decompress=False, cookie_jar=DummyCookieJar()) as client:
            await runner.setup()
            try:
                await web.SockSite(runner, listener).start()
                yield listener_url(listener) + location.rstrip("/"), upstream
            finally:
                await runner.cleanup()


@in_browser
async def test_a_topup_below_a_path(browser: Browser, database: str, org_id: UUID) -> None:
    ensure_service_role(database)
    with listen("127.0.0.1", 0) as listener, listen("127.0.0.1", 0) as sandbox_listener:
        url, sandbox_url = listener_url(listener), listener_url(sandbox_listener)
        async with running_proxy() as (public_url, upstream):
            upstream["url"] = url
            settings = ServiceSettings.load(
                database_url=service_url(database),
                stripe_webhook_secret=WHSEC,
                stripe_secret_key=KEY,
                stripe_api_base=sandbox_url,
                jwt_secret=JWT_SECRET,
                public_url=public_url,
                sign_in_url=sandbox_url + SIGN_IN_PATH,
                shutdown_timeout_seconds=2,
            )
            host = HostApplication(public_url, JWT_SECRET, "authenticated", org_id=org_id)
            webhook = url + STRIPE_WEBHOOK_PATH, WHSEC
            async with (
                running_sandbox(None, sandbox_listener, webhook, host=host),
                running(settings, listener),
            ):
                context = await browser.new_context(locale="en-GB")
                try:
                    page = await context.new_page()
                    await page.goto(public_url + "/wallet")
                    await loaded(page)
                    await go_to_payment(page, "£50")
                    await pay(page)
                    await shows_payment(page, "credited", "£50.00 was added.")
                    await shows_balance(page, "£50.00")
                    assert page.url == public_url + "/wallet"
                    await page.get_by_role("button", name="Sign out").click()
                    await expect(page).to_have_title("Sign in")
                    assert not await context.cookies(public_url)
                finally:
                    await context.close()
