"""The worker: every errand, from its first connection to its last call."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from .. import __version__
from ..database.pool import Database
from ..settings import WorkerSettings
from ..stripe_api.client import stripe_client
from .channels import open_channels
from .errands import Errand, run_errands
from .outbox import deliver_messages
from .recharge import settle_recharges

log = structlog.get_logger()

# A fall-back for notifications that get lost, and the only way for what is sent without one.
POLL_SECONDS = 2

HEARTBEAT_SECONDS = 10


async def work(
    settings: WorkerSettings, stop: asyncio.Event, *, poll_seconds: float = POLL_SECONDS
) -> None:
    """Run the errands until `stop`. Any number of workers may do so side by side."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    async with (
        open_channels(settings) as channels,
        stripe_client(settings) as stripe,
        _open_database(settings) as database,
    ):

        async def deliver() -> int:
            return await deliver_messages(database, channels, worker)

        async def recharge() -> int:
            return await settle_recharges(database, stripe, worker)

        async def note() -> int:
            await database.call("select wallet.note_worker(%s, %s)", worker, __version__)
            return 0

        log.info("worker_started", worker=worker, channels=[channel.name for channel in channels])
        await run_errands(
            [
                Errand("outbox", deliver, poll_seconds, "pgwallet_outbox"),
                Errand("recharge", recharge, poll_seconds, "pgwallet_recharge"),
                Errand("heartbeat", note, HEARTBEAT_SECONDS),
            ],
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
