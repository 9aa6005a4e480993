"""The HTTP service, from its first connection to its last answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import structlog
from aiohttp import web

from ..database.pool import Database
from ..settings import ServiceSettings
from ..stripe_api.client import stripe_client
from .answers import JsonRequestHandler, answer_in_json
from .body import MAX_BODY_BYTES
from .health import show_health
from .keys import DATABASE, SETTINGS, STRIPE
from .operator import trigger_reconciliation
from .stripe import receive_stripe_event
from .tokens import requires_token
from .topups import create_topup
from .twilio import receive_sms_status
from .vapi import receive_call_report

log = structlog.get_logger()

STRIPE_WEBHOOK_PATH = "/api/webhooks/stripe"
VAPI_WEBHOOK_PATH = "/api/webhooks/vapi"
TWILIO_WEBHOOK_PATH = "/api/webhooks/twilio/sms-status"
TOPUPS_PATH = "/api/wallet/topups"
RECONCILIATION_PATH = "/api/billing-reconciliation/trigger"


def create_app(settings: ServiceSettings) -> web.Application:
    app = web.Application(middlewares=[answer_in_json], client_max_size=MAX_BODY_BYTES)
    app[SETTINGS] = settings
    app.cleanup_ctx.append(_open_database)
    if settings.stripe_secret_key:
        app.cleanup_ctx.append(_open_stripe)
    app.router.add_post(STRIPE_WEBHOOK_PATH, receive_stripe_event)
    app.router.add_post(VAPI_WEBHOOK_PATH, receive_call_report)
    app.router.add_post(TWILIO_WEBHOOK_PATH, receive_sms_status)
    app.router.add_post(TOPUPS_PATH, requires_token(create_topup))
    app.router.add_post(RECONCILIATION_PATH, requires_token(trigger_reconciliation))
    app.router.add_get("/health", show_health)
    return app


async def _open_database(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    database = app[DATABASE] = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        timeout=settings.database_timeout_seconds,
    )
    await database.open()
    yield
    await database.close()


async def _open_stripe(app: web.Application) -> AsyncIterator[None]:
    async with stripe_client(app[SETTINGS]) as client:
        app[STRIPE] = client
        yield


@asynccontextmanager
async def running(settings: ServiceSettings, listener: socket.socket) -> AsyncIterator[str]:
    """The service at work, and its URL.

    On leaving it accepts no more, finishes the requests in flight, for as long as
    the settings allow, and closes its connections.
    """
    runner = web.AppRunner(create_app(settings), shutdown_timeout=settings.shutdown_timeout_seconds)
    await runner.setup()
    try:
        loop = asyncio.get_running_loop()
        connect = partial(
            JsonRequestHandler,
            cast(web.Server, runner.server),
            loop=loop,
            # A signature covers the bytes as they were sent.
            auto_decompress=False,
            # For reading away the rest of a body that was refused.
            lingering_time=2,
        )
        server = await loop.create_server(connect, sock=listener)
        try:
            url = listener_url(listener)
            log.info("started", url=url)
            yield url
        finally:
            log.info("stopping")
            server.close()
    finally:
        await runner.cleanup()
        log.info("stopped")


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def listener_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
