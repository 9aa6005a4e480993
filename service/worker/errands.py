"""The frame of every errand: run when notified, or when the time has come, until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import structlog

from ..database.notifications import listen

log = structlog.get_logger()


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

    def wake(channel: str, _payload: str) -> None:
        wakes[channel].set()

    def wake_all() -> None:
        for event in wakes.values():
            event.set()

    await listen(conninfo, wakes, wake, wake_all)
