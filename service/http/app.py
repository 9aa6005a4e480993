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

from ..settings import ServiceSettings
from ..stripe_api.client import stripe_client
from . import description, operator, page
from .access_tokens import token_verifier
from .answers import JsonRequestHandler, answer_in_json
from .body import MAX_BODY_BYTES
from .export import export_transactions
from .health import show_health
from .keys import DATABASE, SETTINGS, STRIPE, VERIFIER
from .metrics import METRICS, MeasuredDatabase, add_metrics
from .sessions import close_session, open_session, show_page_instead
from .stripe import receive_stripe_event
from .tenants import keep_private, requires_tenant
from .topup_events import end_streams, stream_topup, watch_topups
from .topups import start_topup
from .twilio import receive_sms_status
from .vapi import receive_call_report
from .wallet import (
    list_topup_options,
    list_transactions,
    quote_topup,
    set_auto_recharge,
    show_auto_recharge,
    show_history,
    show_summary,
    show_topup,
)

log = structlog.get_logger()

STRIPE_WEBHOOK_PATH = "/api/webhooks/stripe"
VAPI_WEBHOOK_PATH = "/api/webhooks/vapi"
TWILIO_WEBHOOK_PATH = "/api/webhooks/twilio/sms-status"
WALLET_PATH = "/api/wallet"
TOPUPS_PATH = WALLET_PATH + "/topups"
TOPUP_PATH = TOPUPS_PATH + "/{topup_id}"
AUTO_RECHARGE_PATH = WALLET_PATH + "/auto-recharge"
SESSION_PATH = "/wallet/session"
SIGN_OUT_PATH = "/wallet/sign-out"

ROUTES = (
    web.get("/", show_page_instead),
    web.get("/health", show_health),
    # Providers, who sign what they send.
    web.post(STRIPE_WEBHOOK_PATH, receive_stripe_event),
    web.post(VAPI_WEBHOOK_PATH, receive_call_report),
    web.post(TWILIO_WEBHOOK_PATH, receive_sms_status),
    # Customers.
    web.post(SESSION_PATH, open_session),
    web.post(SIGN_OUT_PATH, close_session),
    web.get(WALLET_PATH + "/summary", requires_tenant(show_summary)),
    web.get(WALLET_PATH + "/transactions", requires_tenant(list_transactions)),
    web.get(
        WALLET_PATH + "/transactions.csv", requires_tenant(export_transactions), allow_head=False
    ),
    web.get(WALLET_PATH + "/history", requires_tenant(show_history)),
    web.get(WALLET_PATH + "/topup-options", requires_tenant(list_topup_options)),
    web.get(WALLET_PATH + "/quote", requires_tenant(quote_topup)),
    web.post(TOPUPS_PATH, start_topup),
    web.get(TOPUP_PATH, requires_tenant(show_topup)),
    web.get(TOPUP_PATH + "/events", requires_tenant(stream_topup), allow_head=False),
    web.get(AUTO_RECHARGE_PATH, requires_tenant(show_auto_recharge)),
    web.put(AUTO_RECHARGE_PATH, requires_tenant(set_auto_recharge)),
    # Operators, who know API_TOKEN.
    *operator.ROUTES,
)


def create_app(settings: ServiceSettings) -> web.Application:
    app = web.Application(middlewares=[answer_in_json], client_max_size=MAX_BODY_BYTES)
    app[SETTINGS] = settings
    if settings.jwt_secret or settings.jwt_jwks_url:
        app.cleanup_ctx.append(_open_verifier)
    if settings.stripe_secret_key:
        app.cleanup_ctx.append(_open_stripe)
    app.cleanup_ctx.extend([_open_database, watch_topups])
    app.on_response_prepare.append(keep_private)
    app.on_shutdown.append(end_streams)
    app.add_routes(ROUTES)
    page.add_routes(app)
    description.add_routes(app)
    add_metrics(app)
    return app


async def _open_database(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    database = app[DATABASE] = MeasuredDatabase(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        timeout=settings.database_timeout_seconds,
        metrics=app[METRICS],
    )
    await database.open()
    yield
    await database.close()


async def _open_stripe(app: web.Application) -> AsyncIterator[None]:
    async with stripe_client(app[SETTINGS]) as client:
        app[STRIPE] = client
        yield


async def _open_verifier(app: web.Application) -> AsyncIterator[None]:
    async with token_verifier(app[SETTINGS]) as verifier:
        app[VERIFIER] = verifier
        yield


@asynccontextmanager
async def running(settings: ServiceSettings, listener: socket.socket) -> AsyncIterator[str]:
    """The service at work, and its URL.

    On leaving it accepts no more, finishes the requests in flight, for as long as
    the settings allow, and closes its connections.
    """
    runner = web.AppRunner(create_app(settings), shutdown_timeout=settings.shutdown_timeout_seconds)
    try:
        await runner.setup()
    except BaseException:
        await runner.cleanup()
        raise
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
