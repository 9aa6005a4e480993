"""LISTEN, on a connection of its own, for as long as it takes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psycopg
import structlog
from psycopg.sql import SQL, Identifier

from .pool import CONNECT_TIMEOUT_SECONDS

log = structlog.get_logger()

MAX_RECONNECT_SECONDS = 30


async def listen(
    conninfo: str,
    channels: Iterable[str],
    heard: Callable[[str, str], None],
    connected: Callable[[], None],
) -> None:
    """Tell `heard` of every notification, by channel and payload, until cancelled.

    `connected` is called where notifications may have been missed before.
    """
    pause = 1
    while True:
        try:
            async with await _connect(conninfo) as connection:
                for channel in channels:
                    await connection.execute(SQL("listen {}").format(Identifier(channel)))
                connected()
                pause = 1
                async for notification in connection.notifies():
                    heard(notification.channel, notification.payload)
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


class TooManyWatchers(Exception):
    """As many wait already as may."""


class Watchers:
    """Any number who wait for one channel, each for a payload, over one connection.

    The connection is made for the first of them. Whoever can't do without a notification
    has to look from time to time: there may be no connection.
    """

    def __init__(self, conninfo: str, channel: str, *, most: int, most_a_payload: int) -> None:
        self._conninfo = conninfo
        self._channel = channel
        self._most = most
        self._most_a_payload = most_a_payload
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self.closing = False

    @contextmanager
    def watch(self, payload: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the payload was heard, or may have been."""
        if (
            sum(map(len, self._waiting.values())) >= self._most
            or len(self._waiting.get(payload, ())) >= self._most_a_payload
        ):
            raise TooManyWatchers
        if self._listener is None:
            self._listener = asyncio.create_task(
                listen(self._conninfo, [self._channel], self._heard, self._wake_all)
            )
        event = asyncio.Event()
        self._waiting[payload].add(event)
        try:
            yield event
        finally:
            self._waiting[payload].discard(event)
            if not self._waiting[payload]:
                del self._waiting[payload]

    def dismiss(self) -> None:
        """Wake everybody, to find that it is `closing` time."""
        self.closing = True
        self._wake_all()

    async def close(self) -> None:
        if self._listener:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    def _heard(self, _channel: str, payload: str) -> None:
        for event in self._waiting.get(payload, ()):
            event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()
