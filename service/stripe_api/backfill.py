"""Compares the wallets with what Stripe has, and applies what is missing.

One day after the other, the oldest first: the events of the day, then its payment
intents, refunds and disputes, because some events are never made. What becomes of
each is for SQL to say. A run that is killed goes on with the day that it was in.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.types.json import Jsonb
from stripe import StripeClient

PAGE_SIZE = 100
TYPES_PER_REQUEST = 20  # docs.stripe.com/api/events/list
WINDOW = timedelta(days=1)

# Stripe may be delivering the same event right now.
CONTENTION = (errors.LockNotAvailable, errors.DeadlockDetected)
TRIES = 3

PROCESS_EVENT: LiteralString = """
    select jsonb_build_array(wallet.process_stripe_event(%(object)s::jsonb))
"""
RECONCILE_OBJECT: LiteralString = """
    select wallet.reconcile_stripe_object(%(object)s::jsonb, %(livemode)s) -> 'events'
"""

# What an event that moved money was about, by how its type begins.
KINDS = {
    "checkout.": "payment",
    "payment_intent.": "payment",
    "refund.": "refund",
    "charge.refund": "refund",
    "charge.dispute.": "dispute",
}

StripeObject = dict[str, Any]


class BackfillRefused(Exception):
    """The run can't begin; the message says what to do."""


@dataclass(frozen=True)
class Tally:
    """What a run has found: numbers of events, and the money that they moved."""

    applied: int = 0
    unchanged: int = 0
    waiting: int = 0
    failed: int = 0
    # Number and sum by kind and currency, such as {"payment gbp": [1, 5000]}.
    recovered: dict[str, list[int]] = field(default_factory=dict)

    def plus(self, answers: list[dict[str, Any]], currency: str | None) -> Tally:
        """With the answers about one event, or about the events made up for one object."""
        if not answers:
            return replace(self, unchanged=self.unchanged + 1)
        tally = self
        for answer in answers:
            tally = tally._plus_one(answer, currency)
        return tally

    def _plus_one(self, answer: dict[str, Any], currency: str | None) -> Tally:
        match answer["outcome"]:
            case "processed":
                tally = replace(self, applied=self.applied + 1)
                if answer.get("transaction_id") and not answer["duplicate"]:
                    moved = answer["balance_after"] - answer["balance_before"]
                    return tally._plus_money(f"{_kind(answer['event_type'])} {currency}", moved)
                return tally
            case "pending":
                return replace(self, waiting=self.waiting + 1)
            case "failed":
                return replace(self, failed=self.failed + 1)
            case _:
                return replace(self, unchanged=self.unchanged + 1)

    def _plus_money(self, key: str, pence: int) -> Tally:
        number, total = self.recovered.get(key, (0, 0))
        return replace(self, recovered={**self.recovered, key: [number + 1, total + pence]})


def _kind(event_type: str) -> str:
    kinds = (kind for prefix, kind in KINDS.items() if event_type.startswith(prefix))
    return next(kinds, "other")


@dataclass(frozen=True)
class Run:
    """A run as the database has it: begun now, or interrupted before."""

    backfill_id: UUID
    resumed: bool
    compared_until: datetime
    account: str | None
    tally: Tally


@dataclass(frozen=True)
class Listing:
    """One list of Stripe's, and the function that takes its objects."""

    path: str
    query: LiteralString
    params: dict[str, Any] = field(default_factory=dict)


async def begin(
    connection: AsyncConnection, since: datetime, *, livemode: bool, restart: bool
) -> Run:
    answer = await _fetch_value(
        connection, "select wallet.begin_backfill(%s, %s, %s)", [since, livemode, restart]
    )
    if not answer["success"]:
        raise BackfillRefused(answer["message"])
    return Run(
        backfill_id=UUID(answer["backfill_id"]),
        resumed=answer["resumed"],
        compared_until=datetime.fromisoformat(answer["compared_until"]),
        account=answer["account"],
        tally=Tally(**answer["counts"]),
    )


class Backfill:
    """A run under way. `complain` is told of what can't even be stored as failed."""

    def __init__(
        self,
        connection: AsyncConnection,
        client: StripeClient,
        run: Run,
        *,
        livemode: bool,
        complain: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._client = client
        self._run = run
        self._livemode = livemode
        self._complain = complain
        self._compared_until = run.compared_until
        self._at_window = run.tally
        self.tally = run.tally

    async def windows(self) -> AsyncIterator[datetime]:
        """Work through the days; yields how far it has come."""
        listings = await self._listings()
        finished = False
        while not finished:
            now = datetime.now(UTC).replace(microsecond=0)
            end = self._compared_until + WINDOW
            finished = end >= now
            created = {"gte": int(self._compared_until.timestamp())}
            if not finished:
                created["lte"] = int(end.timestamp())
            for listing in listings:
                await self._compare(listing, created)
            self._compared_until = max(self._compared_until, min(end, now))
            self._at_window = self.tally
            await self._save(self.tally, finished=finished)
            yield self._compared_until

    async def _listings(self) -> list[Listing]:
        types: list[str] = await _fetch_value(
            self._connection, "select wallet.stripe_event_types()", []
        )
        events = [
            Listing("/v1/events", PROCESS_EVENT, {"types": some})
            for some in _chunks(types, TYPES_PER_REQUEST)
        ]
        paths = ("/v1/payment_intents", "/v1/refunds", "/v1/disputes")
        return events + [Listing(path, RECONCILE_OBJECT) for path in paths]

    async def _compare(self, listing: Listing, created: dict[str, int]) -> None:
        async for page in self._pages(listing, created):
            settled = await self._settled(page) if listing.query is PROCESS_EVENT else set()
            for stripe_object in reversed(page):
                if stripe_object["id"] in settled:
                    self.tally = self.tally.plus([], None)
                else:
                    await self._apply(listing.query, stripe_object)

    async def _pages(
        self, listing: Listing, created: dict[str, int]
    ) -> AsyncIterator[list[StripeObject]]:
        params = {**listing.params, "created": created, "limit": PAGE_SIZE}
        if self._run.account:
            params["stripe_account"] = self._run.account
        while True:
            # Raw, since the package's objects are not what Stripe has sent.
            answer = await self._client.raw_request_async("get", listing.path, **params)
            page = json.loads(answer.body)
            yield page["data"]
            if not page["has_more"]:
                return
            params["starting_after"] = page["data"][-1]["id"]

    async def _settled(self, events: list[StripeObject]) -> set[str]:
        """Those that are applied, or none of our business: most of them, most of the time."""
        cursor = await self._connection.execute(
            """
            select event_id from wallet.processed_stripe_webhooks
             where event_id = any(%s) and status in ('processed', 'ignored', 'resolved')
            """,
            [[event["id"] for event in events]],
        )
        return {event_id for (event_id,) in await cursor.fetchall()}

    async def _apply(self, query: LiteralString, stripe_object: StripeObject) -> None:
        tries = 0
        while True:
            try:
                return await self._apply_once(query, stripe_object)
            except psycopg.Error as exc:
                if self._connection.broken:
                    raise
                tries += 1
                if tries == TRIES or not isinstance(exc, CONTENTION):
                    return self._count_refused(stripe_object, exc)

    async def _apply_once(self, query: LiteralString, stripe_object: StripeObject) -> None:
        """In one transaction with its count, so that the report is right after a kill too."""
        currency = stripe_object.get("data", {}).get("object", stripe_object).get("currency")
        if query is PROCESS_EVENT and self._run.account:
            stripe_object = stripe_object | {"account": self._run.account}
        arguments = {"object": json.dumps(stripe_object), "livemode": self._livemode}
        async with self._connection.transaction():
            answers = await _fetch_value(self._connection, query, arguments)
            tally = self.tally.plus(answers, currency)
            if tally.applied > self.tally.applied:
                # The rest of the window will be counted again by whoever goes on.
                await self._save(
                    replace(self._at_window, applied=tally.applied, recovered=tally.recovered)
                )
        self.tally = tally

    def _count_refused(self, stripe_object: StripeObject, exc: psycopg.Error) -> None:
        self.tally = replace(self.tally, failed=self.tally.failed + 1)
        self._complain(f"{stripe_object['id']}: {exc.diag.message_primary or type(exc).__name__}")

    async def _save(self, tally: Tally, *, finished: bool = False) -> None:
        await _fetch_value(
            self._connection,
            "select wallet.save_backfill(%s, %s, %s, %s)",
            [self._run.backfill_id, self._compared_until, Jsonb(asdict(tally)), finished],
        )


def _chunks(values: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


async def _fetch_value(connection: AsyncConnection, query: LiteralString, arguments: Any) -> Any:
    cursor = await connection.execute(query, arguments)
    [(value,)] = await cursor.fetchall()
    return value
