"""The frame of every errand: run when notified, or when the time has come, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import structlog
from psycopg.sql import SQL, Identifier

from ..database.pool import CONNECT_TIMEOUT_SECONDS

log = structlog.get_logger()

MAX_RECONNECT_SECONDS = 30


@dataclass(frozen=True)
class Errand:
    """`run` answers how much it found to do: as long as that is something, it runs again."""

    name: str
    run: Callable[[], Awaitable[int]]
    every_seconds: float
    notify_channel: str | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)


async def run_errands(
    errands: Sequence[Errand], conninfo: str, stop: asyncio.Event, *, grace_seconds: float
) -> None:
    """Run them side by side until `stop`; what runs then may take `grace_seconds` to end."""
    wakes = {errand.notify_channel: errand.wake for errand in errands if errand.notify_channel}
    async with asyncio.TaskGroup() as group:
        listener = group.create_task(_listen(conninfo, wakes))
        loops = [group.create_task(_repeat(errand, stop)) for errand in errands]
        await stop.wait()
        log.info("worker_stopping")
        listener.cancel()
        for errand in errands:
            errand.wake.set()
        await asyncio.wait(loops, timeout=grace_seconds)
        for loop in loops:
            loop.cancel()


async def _repeat(errand: Errand, stop: asyncio.Event) -> None:
    while not stop.is_set():
        errand.wake.clear()
        found = await _run_once(errand)
        if not found:
            with suppress(TimeoutError):
                async with asyncio.timeout(errand.every_seconds):
                    await errand.wake.wait()


async def _run_once(errand: Errand) -> int:
    """An errand that fails is tried again when it is next due."""
    try:
        return await errand.run()
    except (psycopg.Error, TimeoutError) as exc:
        log.warning(
            "database_error",
            errand=errand.name,
            errorType=type(exc).__name__,
            sqlstate=getattr(exc, "sqlstate", None),
        )
    except Exception:
        log.exception("errand_failed", errand=errand.name)
    return 0


async def _listen(conninfo: str, wakes: Mapping[str, asyncio.Event]) -> None:
    """Wake each errand when its channel notifies. Without a connection, polling has to do."""
    pause = 1
    while True:
        try:
            async with await _connect(conninfo) as connection:
                for channel in wakes:
                    await connection.execute(SQL("listen {}").format(Identifier(channel)))
                for wake in wakes.values():
                    wake.set()  # for what was notified while nobody listened
                pause = 1
                async for notification in connection.notifies():
                    wakes[notification.channel].set()
        except psycopg.Error as exc:
            log.warning("listener_disconnected", errorType=type(exc).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, MAX_RECONNECT_SECONDS)


async def _connect(conninfo: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(
        conninfo,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name="pgwallet",
        # Nothing is ever sent here, so only the kernel can tell that the other side is gone.
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
    )
