"""A real Chromium on the wallet page, with the real service and the sandbox behind it."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from ..http.app import STRIPE_WEBHOOK_PATH, listen, listener_url, running
from ..http.tenants import COOKIE
from ..run import ensure_service_role
from ..sandbox.app import running_sandbox
from ..sandbox.html import origin
from ..sandbox.sign_in import SIGN_IN_PATH, HostApplication
from ..settings import ServiceSettings
from .chromium import find_chromium
from .sandboxes import KEY, RunningSandbox, connected
from .services import WHSEC, service_url

# All tests of a worker share one browser, and so one loop.
in_browser = pytest.mark.asyncio(loop_scope="session")

OPTIONS = (
    "--no-sandbox",  # Chromium's own doesn't work for root
    "--disable-gpu",
    "--renderer-process-limit=1",  # a process for each page would cost half as much again
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever asks for another host is noted, and gets nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
PATIENCE_MS = 30_000
PHONE = {"width": 360, "height": 780}
DESKTOP = {"width": 1280, "height": 900}
# What moves costs time, and tells a test nothing.
OPTIONS_OF_VISITS = {
    "viewport": DESKTOP,
    "locale": "en-GB",
    "timezone_id": "Europe/London",
    "reduced_motion": "reduce",
}

# What a browser calls it when somebody leaves a page, or its script lets go of a request.
ABORTED = "net::ERR_ABORTED"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests of a worker."""
    chromium = find_chromium()
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        running_browser = await playwright.chromium.launch(
            executable_path=chromium.program,
            args=OPTIONS,
            env={**os.environ, **chromium.environment},
        )
        yield running_browser
        await running_browser.close()


@dataclass
class Visit:
    """One person's browser, and what went wrong in it."""

    page: Page
    context: BrowserContext
    origins: frozenset[str]
    troubles: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.troubles.append(f"thrown: {error.error}"))
        self.context.on("request", self._on_request)
        self.context.on("requestfailed", self._on_failure)
        self.context.on("response", self._on_response)

    def forgive(self, *expected: str) -> None:
        """What the test has brought about on purpose, and must have happened; * stands for any."""
        for pattern in expected:
            found = [trouble for trouble in self.troubles if fnmatchcase(trouble, pattern)]
            assert found, (pattern, self.troubles)
            self.troubles = [trouble for trouble in self.troubles if trouble not in found]

    async def go_to_other_site(self, url: str) -> None:
        """Open an address of ours that a browser takes for another site's."""
        self.origins |= {origin(url)}
        await self.page.goto(url)

    @asynccontextmanager
    async def another_page(self, url: str) -> AsyncIterator[Page]:
        """In the same browser, beside the first one."""
        page = await self.context.new_page()
        await page.goto(url)
        yield page
        await page.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        # The response itself says more.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.troubles.append(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        inline = request.url.startswith(("data:", "blob:"))
        if not inline and origin(request.url) not in self.origins:
            self.troubles.append(f"to another host: {request.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != ABORTED:
            self.troubles.append(f"{request.failure} {_described(request)}")

    def _on_response(self, response: Response) -> None:
        self.responses.append(response)
        if response.status >= 400:
            self.troubles.append(f"{response.status} {_described(response.request)}")


def _described(request: Request) -> str:
    return f"{request.method} {urlsplit(request.url).path}"


@dataclass(frozen=True)
class Site:
    """The service, and the sandbox as its Stripe and as the application around the wallet page."""

    url: str
    sandbox: RunningSandbox
    host: HostApplication
    browser: Browser

    @asynccontextmanager
    async def visit(
        self, org_id: UUID | None, path: str = "/wallet", **options: Any
    ) -> AsyncIterator[Visit]:
        """The page as a customer of this organization sees it; nothing may go wrong there.

        Nobody is signed in without an organization. The options are those of a browser context.
        """
        options = OPTIONS_OF_VISITS | options
        context = await self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        try:
            if org_id:
                await context.add_cookies(
                    [{"name": COOKIE, "value": self.host.token(org_id), "url": origin(self.url)}]
                )
            origins = frozenset({origin(self.url), self.sandbox.url})
            visit = Visit(await context.new_page(), context, origins)
            with _telling_of_trouble(visit):
                await visit.page.goto(self.url + path)
                yield visit
        finally:
            await context.close()


@contextmanager
def _telling_of_trouble(visit: Visit) -> Iterator[None]:
    try:
        yield
    except Exception as exc:
        exc.add_note("\n".join(["In the browser:", *visit.troubles]))
        raise
    assert not visit.troubles, "\n".join(visit.troubles)


@asynccontextmanager
async def running_site(
    database: str, browser: Browser, listener: socket.socket, public_url: str | None = None
) -> AsyncIterator[Site]:
    """The service at this listener, which browsers may reach by another URL."""
    ensure_service_role(database)
    url = public_url or listener_url(listener)
    with listen("127.0.0.1", 0) as sandbox_listener:
        sandbox_url = listener_url(sandbox_listener)
        host = HostApplication(url, "s3cret-of-the-tests-" + "x" * 20, "authenticated")
        settings = ServiceSettings.load(
            database_url=service_url(database),
            public_url=public_url,
            stripe_webhook_secret=WHSEC,
            stripe_secret_key=KEY,
            stripe_api_base=sandbox_url,
            jwt_secret=host.jwt_secret,
            sign_in_url=sandbox_url + SIGN_IN_PATH,
            shutdown_timeout_seconds=2,
        )
        webhook = listener_url(listener) + STRIPE_WEBHOOK_PATH, WHSEC
        async with (
            running_sandbox(None, sandbox_listener, webhook, host=host),
            running(settings, listener),
            connected(sandbox_url) as sandbox,
        ):
            yield Site(url, sandbox, host, browser)


@pytest_asyncio.fixture(loop_scope="session")
async def site(database: str, browser: Browser) -> AsyncIterator[Site]:
    with listen("127.0.0.1", 0) as listener:
        async with running_site(database, browser, listener) as site:
            yield site
