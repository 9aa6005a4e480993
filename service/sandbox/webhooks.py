"""Deliveries of events: signed, repeated until they are taken, and disturbed on demand."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout
from pydantic import BaseModel, ConfigDict, Field

from . import events
from .events import StripeObject
from .store import Store

log = structlog.get_logger()

ENDPOINT = "webhook_endpoint"

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
TIMEOUT_SECONDS = 30
MOST_AT_ONCE = 8


class Disturbance(BaseModel):
    """What happens to the deliveries of the next `times` events of these types."""

    model_config = ConfigDict(extra="forbid")

    types: list[str] = Field(default_factory=lambda: ["*"])
    action: Literal["drop", "duplicate", "delay"]
    copies: int = Field(default=2, ge=2)
    seconds: float = Field(default=1, ge=0)
    times: int = Field(default=1, ge=1)


@dataclass(frozen=True)
class Delivery:
    number: int
    event: StripeObject
    url: str
    secret: str


@dataclass
class Webhooks:
    store: Store
    disturbances: list[Disturbance] = field(default_factory=list)
    held: bool = False

    def __post_init__(self) -> None:
        self._wake = asyncio.Event()
        self._client = ClientSession(timeout=ClientTimeout(TIMEOUT_SECONDS))

    def wake(self) -> None:
        """There may be something to deliver."""
        self._wake.set()

    # In the transaction of the change

    def enqueue(self, event: StripeObject) -> None:
        endpoints = [
            endpoint
            for endpoint in self.store.select(ENDPOINT, order="number")
            if endpoint["status"] == "enabled" and subscribed(endpoint, event["type"])
        ]
        disturbance = self._take_disturbance(event["type"]) if endpoints else None
        action = disturbance.action if disturbance else None
        copies = disturbance.copies if disturbance and action == "duplicate" else 1
        seconds = disturbance.seconds if disturbance and action == "delay" else 0
        for endpoint in endpoints:
            for _ in range(copies):
                self.add_delivery(
                    event["id"], endpoint["id"], dropped=action == "drop", seconds=seconds
                )

    def add_delivery(
        self, event_id: str, endpoint_id: str, *, dropped: bool = False, seconds: float = 0
    ) -> None:
        self.store.connection.execute(
            "insert into deliveries (event_id, endpoint_id, state, next_try) values (?, ?, ?, ?)",
            [event_id, endpoint_id, "dropped" if dropped else "pending", time.time() + seconds],
        )

    def resend(self, event_id: str) -> None:
        """As people do in the dashboard: also what was delivered, or dropped, before."""
        for endpoint in self.store.select(ENDPOINT, order="number"):
            self.add_delivery(event_id, endpoint["id"])

    def _take_disturbance(self, event_type: str) -> Disturbance | None:
        for disturbance in self.disturbances:
            if any(fnmatchcase(event_type, pattern) for pattern in disturbance.types):
                disturbance.times -= 1
                if not disturbance.times:
                    self.disturbances.remove(disturbance)
                return disturbance
        return None

    # In the background

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        loop = asyncio.create_task(self._deliver_for_ever())
        try:
            yield
        finally:
            loop.cancel()
            with suppress(asyncio.CancelledError):
                await loop
            await self._client.close()

    async def _deliver_for_ever(self) -> None:
        under_way: set[asyncio.Task[int]] = set()

        def finished(task: asyncio.Task[int]) -> None:
            under_way.discard(task)
            self.wake()

        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                room = 0 if self.held else MOST_AT_ONCE - len(under_way)
                for delivery in self._take(room, time.time()):
                    task = group.create_task(self._deliver(delivery))
                    under_way.add(task)
                    task.add_done_callback(finished)
                # Where there is no room, the end of a delivery makes some, and wakes this loop.
                full = self.held or len(under_way) == MOST_AT_ONCE
                pause = None if full else self._seconds_to_next()
                with suppress(TimeoutError):
                    # Not wait_for, which can lose a cancellation on Python 3.11.
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def deliver_now(self, order: Literal["created", "reversed", "shuffled"]) -> list[int]:
        """Everything that waits, one after the other in this order; the answers' statuses."""
        waiting = self._take(limit=-1)
        if order == "reversed":
            waiting.reverse()
        elif order == "shuffled":
            random.shuffle(waiting)
        return [await self._deliver(delivery) for delivery in waiting]

    def _take(self, limit: int, until: float = float("inf")) -> list[Delivery]:
        """What waits to be delivered, for the caller to deliver it now."""
        rows = self.store.connection.execute(
            """
            select deliveries.number, event.body,
                   json_extract(endpoint.body, '$.url'),
                   json_extract(endpoint.private, '$.secret')
              from deliveries
              join objects as event on event.id = event_id
              join objects as endpoint on endpoint.id = endpoint_id
             where state = 'pending' and next_try <= ?
             order by deliveries.number
             limit ?
            """,
            [until, limit],
        ).fetchall()
        self.store.connection.executemany(
            "update deliveries set state = 'under_way' where number = ?",
            [[number] for number, *_ in rows],
        )
        return [
            Delivery(number, self.shown(json.loads(event)), url, secret)
            for number, event, url, secret in rows
        ]

    def _seconds_to_next(self) -> float | None:
        [(next_try,)] = self.store.connection.execute(
            "select min(next_try) from deliveries join objects on objects.id = endpoint_id"
            " where state = 'pending'"
        )
        return None if next_try is None else max(0.0, next_try - time.time())

    async def _deliver(self, delivery: Delivery) -> int:
        event = delivery.event
        body = events.encode(event)
        status = await self._post(delivery.url, body, events.sign(body, delivery.secret))
        self._note(delivery, status)
        log.info(
            "webhook_sent", eventId=event["id"], eventType=event["type"], status=status or None
        )
        return status

    async def _post(self, url: str, body: bytes, signature: str) -> int:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature,
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            async with self._client.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return response.status
        except (ClientError, TimeoutError):
            return 0

    def _note(self, delivery: Delivery, status: int) -> None:
        self.store.connection.execute(
            """
            update deliveries
               set state = iif(:status between 200 and 299, 'delivered', 'pending'),
                   attempts = attempts + 1,
                   next_try = :now + min(:longest, :first * (1 << min(attempts, 16))),
                   last_status = :status
             where number = :number
            """,
            {
                "status": status,
                "now": time.time(),
                "first": FIRST_PAUSE_SECONDS,
                "longest": LONGEST_PAUSE_SECONDS,
                "number": delivery.number,
            },
        )

    # For the API

    def shown(self, event: StripeObject) -> StripeObject:
        """With the number of endpoints that have not taken it yet."""
        [(pending,)] = self.store.connection.execute(
            "select count(*) from deliveries"
            " where event_id = ? and state in ('pending', 'under_way')",
            [event["id"]],
        )
        return {**event, "pending_webhooks": pending}

    def deliveries(self) -> list[dict[str, Any]]:
        rows = self.store.connection.execute(
            """
            select event_id, json_extract(body, '$.type'), endpoint_id, state, attempts, last_status
              from deliveries join objects on objects.id = event_id
             order by deliveries.number
            """
        )
        names = ("event", "type", "endpoint", "state", "attempts", "last_status")
        return [dict(zip(names, row, strict=True)) for row in rows]


def subscribed(endpoint: StripeObject, event_type: str) -> bool:
    enabled: list[str] = endpoint["enabled_events"]
    return "*" in enabled or event_type in enabled
