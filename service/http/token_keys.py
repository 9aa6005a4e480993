"""The keys that access tokens are signed with: shared secrets, and public keys behind a URL."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from jwt import InvalidKeyError
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from .. import __version__
from ..privacy import require_privacy

log = structlog.get_logger()

SHARED_ALGORITHM = "HS256"

KEEP_SECONDS = 600
# Between two fetches that somebody wants before that time.
PAUSE_SECONDS = 30
# While there is no key at all.
RETRY_SECONDS = 1

TIMEOUT_SECONDS = 5
MAX_DOCUMENT_BYTES = 256 * 1024
SHORTEST_RSA_KEY_BITS = 2048


class KeysUnavailable(Exception):
    """No public key could ever be had."""


@dataclass(frozen=True)
class Key:
    """It counts for one algorithm, whatever the header of a token asks for."""

    algorithm: str
    material: Any = field(repr=False)
    kid: str | None = None

    def may_have_signed(self, algorithm: object, kid: object) -> bool:
        return self.algorithm == algorithm and (None in (self.kid, kid) or self.kid == kid)


def shared_keys(secrets: Iterable[str]) -> tuple[Key, ...]:
    return tuple(Key(SHARED_ALGORITHM, secret) for secret in secrets)


class PublishedKeys:
    """The keys of a JSON Web Key Set. Those that were had last stay, if it can't be fetched."""

    def __init__(self, http: ClientSession, url: str, clock: Callable[[], float]) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def get(self) -> tuple[Key, ...]:
        if self._clock() >= self._fetched_at + KEEP_SECONDS:
            await self._refresh()
        if not self._keys:
            raise KeysUnavailable
        return self._keys

    async def get_newer(self) -> tuple[Key, ...]:
        """Where those of `get` weren't enough: a key may have been published meanwhile."""
        await self._refresh()
        return self._keys

    async def close(self) -> None:
        if self._fetching:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    async def _refresh(self) -> None:
        """Fetch, unless that was tried just now; who comes meanwhile waits for the same fetch."""
        if self._fetching is None:
            pause = PAUSE_SECONDS if self._keys else RETRY_SECONDS
            if self._clock() < self._tried_at + pause:
                return
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        # One of those who wait may be cancelled.
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            self._keys = read_keys(json.loads(await self._download()))
            self._fetched_at = self._clock()
        except (ClientError, TimeoutError, ValueError, RecursionError) as exc:
            log.warning("jwks_unavailable", errorType=type(exc).__name__, kept=len(self._keys))
        finally:
            self._fetching = None

    async def _download(self) -> bytes:
        document = b""
        async with self._http.get(self._url, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError("not there")
            async for chunk in response.content.iter_any():
                document += chunk
                if len(document) > MAX_DOCUMENT_BYTES:
                    raise ValueError("too large")
        return document


@asynccontextmanager
async def published_keys(
    url: str, clock: Callable[[], float] = time.monotonic
) -> AsyncIterator[PublishedKeys]:
    require_privacy("JWT_JWKS_URL", url)
    async with ClientSession(
        timeout=ClientTimeout(TIMEOUT_SECONDS),
        cookie_jar=DummyCookieJar(),
        # A compressed document could be of any size.
        auto_decompress=False,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"pgwallet/{__version__}",
        },
    ) as http:
        keys = PublishedKeys(http, url, clock)
        try:
            yield keys
        finally:
            await keys.close()


def read_keys(document: Any) -> tuple[Key, ...]:
    """Those that can verify RS256 or ES256; raises ValueError where there is none."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = [_read_key(entry) for entry in listed] if isinstance(listed, list) else []
    keys = tuple(key for key in found if key)
    if not keys:
        raise ValueError("no usable key")
    return keys


def _read_key(entry: Any) -> Key | None:
    """None for what is a key of another kind, for another purpose, or no key."""
    try:
        key = _read_rsa_key(entry) if entry["kty"] == "RSA" else _read_ec_key(entry)
        fits = (
            entry.get("alg", key.algorithm) == key.algorithm
            and entry.get("use", "sig") == "sig"
            and "verify" in entry.get("key_ops", ["verify"])
            and isinstance(key.kid, str | None)
        )
    except (InvalidKeyError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return key if fits else None


def _read_rsa_key(entry: dict[str, Any]) -> Key:
    public = {name: entry[name] for name in ("kty", "n", "e")}
    material = RSAAlgorithm.from_jwk(public)
    if material.key_size < SHORTEST_RSA_KEY_BITS:
        raise ValueError("too short")
    return Key("RS256", material, entry.get("kid"))


def _read_ec_key(entry: dict[str, Any]) -> Key:
    public = {name: entry[name] for name in ("kty", "crv", "x", "y")}
    if public["crv"] != "P-256":
        raise ValueError("another curve")
    return Key("ES256", ECAlgorithm.from_jwk(public), entry.get("kid"))
