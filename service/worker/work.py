"""The worker: every errand, from its first connection to its last call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog

from .. import __version__
from ..database.pool import Database
from ..settings import WorkerSettings
from ..stripe_api.client import stripe_client
from ..vapi_api.client import vapi_client
from .channels import open_channels
from .consistency import check_books
from .errands import Errand, run_errands
from .name import worker_name
from .outbox import deliver_messages
from .recharge import settle_recharges
from .reconcile import reconcile_calls, replay_unbilled_calls
from .reservations import expire_reservations

log = structlog.get_logger()

# A fall-back for notifications that get lost, and the only way for what is sent without one.
POLL_SECONDS = 2

HEARTBEAT_SECONDS = 10

# A lapsed reservation holds up nobody: whoever spends expires it, too.
RESERVATIONS_SECONDS = 15
# When a day is due is for SQL to say.
RECONCILE_SECONDS = 60
UNBILLED_SECONDS = 3600
# So is when the books are.
CONSISTENCY_SECONDS = 600


async def work(
    settings: WorkerSettings, stop: asyncio.Event, *, poll_seconds: float = POLL_SECONDS
) -> None:
    """Run the errands until `stop`. Any number of workers may do so side by side."""
    worker = worker_name()
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_channels(settings))
        stripe = await stack.enter_async_context(stripe_client(settings))
        vapi = None
        if settings.vapi_api_key:
            vapi = await stack.enter_async_context(vapi_client(settings))
        database = await stack.enter_async_context(_open_database(settings))

        async def deliver() -> int:
            return await deliver_messages(database, channels, worker)

        async def recharge() -> int:
            return await settle_recharges(database, stripe, worker)

        async def expire() -> int:
            return await expire_reservations(database)

        async def replay() -> int:
            return await replay_unbilled_calls(database)

        async def check() -> int:
            return await check_books(database, worker)

        async def note() -> int:
            await database.call("select wallet.note_worker(%s, %s)", worker, __version__)
            return 0

        errands = [
            Errand("outbox", deliver, poll_seconds, "pgwallet_outbox"),
            Errand("recharge", recharge, poll_seconds, "pgwallet_recharge"),
            Errand("reservations", expire, RESERVATIONS_SECONDS),
            Errand("unbilled", replay, UNBILLED_SECONDS),
            Errand("consistency", check, CONSISTENCY_SECONDS),
            Errand("heartbeat", note, HEARTBEAT_SECONDS),
        ]
        log.info("worker_started", worker=worker, channels=[channel.name for channel in channels])
        if vapi:
            reconcile = partial(reconcile_calls, database, vapi, worker, stop)
            errands.append(Errand("reconcile", reconcile, RECONCILE_SECONDS, "pgwallet_reconcile"))
        else:
            log.info("reconciliation_off", advice="set VAPI_API_KEY to compare calls with Vapi's")
        await run_errands(
            errands,
            settings.database_url.get_secret_value(),
            stop,
            grace_seconds=settings.shutdown_timeout_seconds,
        )
    log.info("worker_stopped", worker=worker)


@asynccontextmanager
async def _open_database(settings: WorkerSettings) -> AsyncIterator[Database]:
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        timeout=settings.database_timeout_seconds,
    )
    await database.open()
    try:
        yield database
    finally:
        await database.close()
