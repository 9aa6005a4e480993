"""Compares the calls of a window of time with Vapi's list. What becomes of each is for SQL to say.

Every page is stored before the next one is asked for, with how far back the list goes by now:
a run that is killed goes on there. What is missing is then billed by some hundred calls at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, Self, TypeVar

import psycopg
from psycopg.types.json import Jsonb

from .client import PAGE_SECONDS, Page, VapiClient, VapiFailure, encode_calls

SAVE_SECONDS = 60
RECOVER_SECONDS = 60
FINISH_SECONDS = 60
# Every page renews it, so it has to outlast what one page may take.
LEASE_SECONDS = PAGE_SECONDS + SAVE_SECONDS

# Until then a call may still appear in the list of a time that is over.
SETTLING = timedelta(minutes=10)

# In one transaction: a run that is killed in a window that isn't over leaves no list behind that
# looks complete to whoever comes after its end.
FINISH: LiteralString = """
    select
        case
            when (saved ->> 'success')::boolean then wallet.finish_call_reconciliation(%s, %s, %s)
            else saved
        end
    from wallet.save_provider_calls(%s, %s, %s, '[]', %s, %s) as saved
"""

RECOVER: LiteralString = "select wallet.recover_provider_calls(%s, %s, %s, %s)"

# Runs `select wallet.some_function(...)` within so many seconds, and returns its answer.
CallFunction = Callable[..., Awaitable[Any]]
Report = dict[str, Any]

Result = TypeVar("Result")


class Lost(Exception):
    """Another worker has taken the window over, or has done it already."""


class Stopped(Exception):
    """It was told to stop, and has given the window back."""


@dataclass(frozen=True)
class Window:
    """What is to be compared, and how much of it an earlier run has listed."""

    from_at: datetime
    to_at: datetime
    listed_back_to: datetime

    @classmethod
    def read(cls, claimed: dict[str, Any]) -> Self:
        """As wallet.claim_call_reconciliation answers it."""
        return cls(
            from_at=datetime.fromisoformat(claimed["from"]),
            to_at=datetime.fromisoformat(claimed["to"]),
            listed_back_to=datetime.fromisoformat(claimed["listed_back_to"] or claimed["to"]),
        )

    @property
    def resumed(self) -> bool:
        return self.listed_back_to < self.to_at


class Reconciliation:
    """A window that this worker has claimed, until `stop`."""

    def __init__(
        self,
        call: CallFunction,
        client: VapiClient,
        worker: str,
        window: Window,
        stop: asyncio.Event,
    ) -> None:
        self._call = call
        self._client = client
        self._named = (worker, window.from_at, window.to_at)
        self._window = window
        self._stop = stop
        # Calls are still being made in a window that isn't over, and a later run would begin
        # below them: it has to list all of it again.
        self._is_over = window.to_at + SETTLING <= datetime.now(UTC)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Whatever ends the block early, nobody shall have to wait for the end of the lease."""
        try:
            yield
        except VapiFailure as exc:
            await self._give_back(str(exc))
            raise
        except Stopped:
            await self._give_back("It was stopped, and goes on there.")
            raise
        except psycopg.Error as exc:
            await self._give_back(f"The database refused (SQLSTATE {exc.sqlstate}).")
            raise
        except TimeoutError:
            await self._give_back("The database took too long.")
            raise

    async def pages(self) -> AsyncIterator[Page]:
        """Store what Vapi lists; yields each page once it is stored."""
        window = self._window
        async with aclosing(
            self._client.list_calls(window.from_at, window.listed_back_to)
        ) as listed:
            while page := await self._unless_stopped(anext(listed, None)):
                await self._unless_stopped(self._save(page))
                yield page

    async def recoveries(self) -> AsyncIterator[int]:
        """Bill what is missing; yields after each transaction how many are still to be tried."""
        while not self._stop.is_set():
            answer = await self._ask(RECOVER, LEASE_SECONDS, seconds=RECOVER_SECONDS)
            yield answer["remaining"]
            if not answer["remaining"]:
                return
        raise Stopped

    async def finish(self) -> Report:
        """Compare what is stored: the report, even if it is time to stop."""
        return await self._ask(
            FINISH, *self._named, self._window.from_at, LEASE_SECONDS, seconds=FINISH_SECONDS
        )

    async def _save(self, page: Page) -> None:
        window = self._window
        listed = page.listed_back_to if self._is_over else window.to_at
        await self._ask(
            "select wallet.save_provider_calls(%s, %s, %s, %s, %s, %s)",
            Jsonb(page.calls, dumps=encode_calls),
            min(max(listed, window.from_at), window.to_at),
            LEASE_SECONDS,
            seconds=SAVE_SECONDS,
        )

    async def _ask(self, query: LiteralString, *args: Any, seconds: float) -> dict[str, Any]:
        answer: dict[str, Any] = await self._call(query, *self._named, *args, seconds=seconds)
        if not answer["success"]:
            raise Lost(answer["message"])
        return answer

    async def _give_back(self, reason: str) -> None:
        # Without a database there is nothing to be done but to let the lease end.
        with suppress(psycopg.Error, TimeoutError):
            await self._call(
                "select wallet.fail_call_reconciliation(%s, %s, %s, %s)", *self._named, reason
            )

    async def _unless_stopped(self, step: Awaitable[Result]) -> Result:
        running = asyncio.ensure_future(step)
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            raise Stopped
        finally:
            running.cancel()
            stopped.cancel()
            await asyncio.wait({running, stopped})
