"""The client of Vapi's list of calls, page by page, the newest first.

https://docs.vapi.ai/api-reference/calls/list: there are no page numbers. The next page is asked
for by time, so the calls at the seam come twice, and are told apart by their ids.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar

from .. import __version__
from ..json_text import storable
from ..privacy import require_privacy
from ..settings import Settings, SettingsError

PAGE_SIZE = 100
LARGEST_PAGE = 1000
# For one run. A run that ends here has kept what it was told, and the next one goes on.
MAX_PAGES = 10_000
# Whole transcripts come along.
MAX_BODY_BYTES = 128 * 1024 * 1024

REQUEST_SECONDS = 60
MAX_TRIES = 5
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# For a page with all its tries.
PAGE_SECONDS = 240

MILLISECOND = timedelta(milliseconds=1)

Call = dict[str, Any]


class VapiFailure(Exception):
    """Vapi's list can't be had. The message is a sentence for people, and quotes nothing."""


class _Unanswered(Exception):
    """The same request may be answered a moment later."""

    def __init__(self, reason: str, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Page:
    """Calls that no page had before. From `listed_back_to` on, nothing is missing any more."""

    calls: list[Call]
    listed_back_to: datetime


@asynccontextmanager
async def vapi_client(settings: Settings) -> AsyncIterator[VapiClient]:
    """Vapi's client, closed at the end of the block."""
    if settings.vapi_api_key is None:
        raise SettingsError("VAPI_API_KEY is not set.")
    base = settings.vapi_api_base.rstrip("/")
    require_privacy("VAPI_API_BASE", base)
    async with ClientSession(
        timeout=ClientTimeout(REQUEST_SECONDS),
        cookie_jar=DummyCookieJar(),
        headers={
            "Authorization": f"Bearer {settings.vapi_api_key.get_secret_value()}",
            "Accept": "application/json",
            "User-Agent": f"pgwallet/{__version__}",
        },
    ) as http:
        yield VapiClient(http, base)


class VapiClient:
    def __init__(self, http: ClientSession, base: str) -> None:
        self._http = http
        self._url = base + "/call"

    async def list_calls(self, from_at: datetime, until: datetime) -> AsyncGenerator[Page, None]:
        """The calls that were created from `from_at` on and before `until`."""
        from_at, before = _floor(from_at), _ceil(until)
        seam: dict[str, datetime] = {}
        limit = PAGE_SIZE
        for _ in range(MAX_PAGES):
            if before <= from_at:
                return
            calls = await self._page(from_at, before, limit)
            created = {call["id"]: _created_at(call) for call in calls}
            if any(at >= before for at in created.values()):
                raise VapiFailure("Vapi lists calls that are newer than what was asked for.")
            new = {call["id"]: call for call in calls if call["id"] not in seam}
            if len(calls) >= limit:
                _require_newest_first(list(created.values()))
                if not new and limit == LARGEST_PAGE:
                    raise VapiFailure(
                        f"Vapi lists {LARGEST_PAGE} calls or more of the same moment,"
                        f" {_iso(before - MILLISECOND)}, and has no way to ask for the others."
                    )
            elif not new:
                yield Page([], from_at)
                return
            limit = PAGE_SIZE if new else LARGEST_PAGE
            if new:
                # Others of the oldest one's millisecond may be on the next page.
                before = min(before, _floor(min(created.values())) + MILLISECOND)
                seam = {key: at for key, at in (seam | created).items() if at < before}
                yield Page(list(new.values()), max(from_at, before))
        raise VapiFailure(f"Vapi lists more than {MAX_PAGES} pages: the next run goes on there.")

    async def _page(self, from_at: datetime, before: datetime, limit: int) -> list[Call]:
        params = {
            "limit": str(limit),
            "createdAtGe": _iso(from_at),
            "createdAtLt": _iso(before),
        }
        try:
            async with asyncio.timeout(PAGE_SECONDS):
                return await self._retry(params)
        except TimeoutError:
            raise VapiFailure(f"Vapi took more than {PAGE_SECONDS} seconds for a page.") from None

    async def _retry(self, params: dict[str, str]) -> list[Call]:
        pause = FIRST_PAUSE_SECONDS
        tries = 1
        while True:
            try:
                return _read_calls(await self._get(params))
            except _Unanswered as exc:
                if tries == MAX_TRIES:
                    raise VapiFailure(
                        f"Vapi didn't answer as it should, {tries} times in a row"
                        f" (the last time: {exc})."
                    ) from None
                await asyncio.sleep(min(max(pause, exc.retry_after), LONGEST_PAUSE_SECONDS))
            tries += 1
            pause *= 2

    async def _get(self, params: dict[str, str]) -> bytes:
        try:
            async with self._http.get(self._url, params=params, allow_redirects=False) as response:
                _check_status(response)
                return await _read_body(response)
        except TimeoutError:
            raise _Unanswered("no answer in time") from None
        except ClientError as exc:
            raise _Unanswered(type(exc).__name__) from None


def encode_calls(calls: list[Call]) -> str:
    """As JSON that PostgreSQL takes."""
    return storable(json.dumps(calls, allow_nan=False))


def _check_status(response: ClientResponse) -> None:
    status = response.status
    if status == 200:
        return
    if status in (401, 403):
        raise VapiFailure(
            f"Vapi doesn't accept VAPI_API_KEY (HTTP {status}):"
            " set it to a private API key that is in use."
        )
    if status == 404 or 300 <= status < 400:
        raise VapiFailure(
            f"There is no list of calls at VAPI_API_BASE (HTTP {status}): leave it unset,"
            " or set it to https://api.eu.vapi.ai for an organization in the EU."
        )
    if status in (408, 429) or status >= 500:
        raise _Unanswered(f"HTTP {status}", _retry_after(response))
    raise VapiFailure(f"Vapi refused the request (HTTP {status}).")


def _retry_after(response: ClientResponse) -> float:
    """The header's seconds, or those until its date; 0 without a usable one."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        if value.isdecimal():
            return float(value)
        at = parsedate_to_datetime(value)
        return (at.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return 0


async def _read_body(response: ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise VapiFailure(f"Vapi's answer is longer than {MAX_BODY_BYTES} bytes.")
    return bytes(body)


def _read_calls(body: bytes) -> list[Call]:
    try:
        calls = json.loads(body, parse_constant=_refuse_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise VapiFailure("Vapi's answer is not JSON: look at VAPI_API_BASE.") from None
    if not isinstance(calls, list):
        raise VapiFailure("Vapi's answer is not a list of calls: look at VAPI_API_BASE.")
    for call in calls:
        if not isinstance(call, dict) or not isinstance(call.get("id"), str) or not call["id"]:
            raise VapiFailure("Vapi's list has something in it that is no call with an id.")
        _created_at(call)
    return calls


def _refuse_number(_name: str) -> float:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _created_at(call: Call) -> datetime:
    try:
        at = datetime.fromisoformat(call["createdAt"])
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise VapiFailure("Vapi lists a call without a usable createdAt.") from None


def _require_newest_first(times: list[datetime]) -> None:
    """Otherwise asking for what is older than the oldest would leave some out."""
    if times != sorted(times, reverse=True):
        raise VapiFailure("Vapi's list is not sorted by time, the newest first.")


def _floor(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _ceil(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + MILLISECOND


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
