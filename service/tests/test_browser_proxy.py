"""The wallet page behind a proxy that takes a prefix off, and holds back what isn't complete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import socket
from typing import Any

import psycopg
from aiohttp import ClientSession, web
from multidict import CIMultiDict, CIMultiDictProxy
from playwright.async_api import Browser, expect

from ..http.app import listen, listener_url
from .browsers import in_browser, running_site
from .services import open_wallet
from .wallet_page import go_to_payment, loaded, pay, shows_balance, shows_payment

pytestmark = in_browser

PREFIX = "/pay"
HOP_HEADERS = frozenset({"connection", "content-length", "transfer-encoding"})


async def test_a_whole_topup_behind_a_proxy(
    database: str, browser: Browser, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    org_id = open_wallet(connect())
    with listen("127.0.0.1", 0) as listener, listen("127.0.0.1", 0) as outside:
        public_url = listener_url(outside) + PREFIX
        async with (
            running_proxy(outside, listener_url(listener)),
            running_site(database, browser, listener, public_url) as site,
            site.visit(None, "/") as visit,
        ):
            page = visit.page
            await page.get_by_label("Organization id").fill(str(org_id))
            await page.keyboard.press("Enter")
            await loaded(page)
            assert page.url == f"{public_url}/wallet"
            await go_to_payment(page)
            await pay(page)
            await shows_payment(page, "credited", "£25.00 was added.")
            await shows_balance(page, "£25.00")
            assert page.url == f"{public_url}/wallet"
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("heading")).to_have_text("Sign in")


@asynccontextmanager
async def running_proxy(listener: socket, upstream: str) -> AsyncIterator[None]:
    app = web.Application()
    async with ClientSession(upstream, auto_decompress=False) as client:

        async def forward(request: web.Request) -> web.Response:
            path = request.raw_path.removeprefix(PREFIX)
            async with client.request(
                request.method,
                path,
                headers=without_hop_headers(request.headers),
                data=await request.read(),
                allow_redirects=False,
            ) as response:
                return web.Response(
                    status=response.status,
                    headers=without_hop_headers(response.headers),
                    body=await response.read(),
                )

        app.router.add_route("*", PREFIX + "/{path:.*}", forward)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield
        finally:
            await runner.cleanup()


def without_hop_headers(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    kept = ((name, value) for name, value in headers.items() if name.lower() not in HOP_HEADERS)
    return CIMultiDict(kept)
