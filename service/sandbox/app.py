"""The sandbox as an application: it stands in for the parts of Stripe and Vapi that we use."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from ..http.app import listener_url
from . import api, control, pages, sign_in, vapi
from .resources import checkout_sessions, webhook_endpoints
from .sandbox import SANDBOX, Sandbox
from .sign_in import HostApplication
from .store import Store

log = structlog.get_logger()

EXPIRY_PAUSE_SECONDS = 5
# What hangs on purpose shall not hold up the end.
SHUTDOWN_SECONDS = 0.5


def create_app(sandbox: Sandbox, host: HostApplication | None) -> web.Application:
    app = web.Application(middlewares=[log_request])
    app[SANDBOX] = sandbox
    if host:
        sign_in.add_routes(app, host)
    api.add_routes(app)
    vapi.add_routes(app)
    control.add_routes(app)
    pages.add_routes(app)
    return app


@web.middleware
async def log_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    started = time.perf_counter()
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as exc:
        status = exc.status
        raise
    finally:
        resource = request.match_info.route.resource
        log.info(
            "sandbox_request",
            method=request.method,
            path=resource.canonical if resource else None,
            status=status,
            durationMs=round((time.perf_counter() - started) * 1000, 1),
        )
    return response


@asynccontextmanager
async def running_sandbox(
    folder: Path | None,
    listener: socket.socket,
    webhook: tuple[str, str] | None = None,
    vapi_server: tuple[str, str] | None = None,
    host: HostApplication | None = None,
) -> AsyncIterator[str]:
    """The sandbox at work, with its data in this folder or in memory, and its URL.

    `webhook` is the address that all events go to, with the secret to sign them, and
    `vapi_server` the address of Vapi's reports, with the secret of their header. As the `host`
    it signs customers in as well.
    """
    _check_loopback(listener)
    store = Store(folder)
    try:
        sandbox = Sandbox.at(listener_url(listener), store)
        if webhook:
            with sandbox.transaction():
                webhook_endpoints.set_local(sandbox.call(), *webhook)
        if vapi_server:
            url, secret = vapi_server
            vapi.set_server(sandbox, vapi.Server(url=url, secret=secret))
        async with (
            _serving(create_app(sandbox, host), listener),
            _expiring(sandbox),
            sandbox.webhooks.delivering(),
        ):
            log.info("sandbox_started", url=sandbox.url)
            yield sandbox.url
            log.info("sandbox_stopping")
    finally:
        store.close()


@asynccontextmanager
async def running_host(host: HostApplication, listener: socket.socket) -> AsyncIterator[str]:
    """The page to sign in on alone: beside a real Stripe there is no other to mistake for it."""
    _check_loopback(listener)
    app = web.Application(middlewares=[log_request])
    sign_in.add_routes(app, host)
    async with _serving(app, listener):
        yield listener_url(listener)


def _check_loopback(listener: socket.socket) -> None:
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        raise ValueError("The sandbox listens on this machine alone.")


@asynccontextmanager
async def _serving(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_SECONDS, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _expiring(sandbox: Sandbox) -> AsyncIterator[None]:
    expiry = asyncio.create_task(_expire_sessions(sandbox))
    try:
        yield
    finally:
        expiry.cancel()
        with suppress(asyncio.CancelledError):
            await expiry


async def _expire_sessions(sandbox: Sandbox) -> None:
    while True:
        with sandbox.transaction():
            checkout_sessions.expire_due(sandbox.call())
        await asyncio.sleep(EXPIRY_PAUSE_SECONDS)
