"""Published keys: when they are fetched, how often, and what becomes of those that were had."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from ..http import token_keys
from ..http.access_tokens import BadToken, TokenVerifier
from ..http.token_keys import KeysUnavailable, published_keys
from ..settings import SettingsError
from .services import running_service
from .tenants import KeyServer, SigningKey, running_key_server
from .workers import eventually

ORG_ID = UUID(int=7)
OLD = SigningKey.new("RS256", "old")
NEW = SigningKey.new("ES256", "new")
FOREIGN = SigningKey.new("ES256", "foreign")


@dataclass
class SignIn:
    """Keys on a server, and a verifier of ours whose time the test sets."""

    server: KeyServer
    now: float = 1000
    verifier: TokenVerifier | None = None

    async def check(self, key: SigningKey) -> str:
        assert self.verifier
        try:
            claims = await self.verifier.verify(key.token(ORG_ID))
        except (BadToken, KeysUnavailable) as exc:
            return type(exc).__name__
        assert claims["app_metadata"] == {"org_id": str(ORG_ID)}
        return "genuine"


@asynccontextmanager
async def sign_in(*keys: SigningKey) -> AsyncIterator[SignIn]:
    async with running_key_server(*keys) as server:
        opened = SignIn(server)
        async with published_keys(server.url, lambda: opened.now) as published:
            opened.verifier = TokenVerifier((), published, audience="authenticated", issuer=None)
            yield opened


async def test_keys_are_fetched_when_needed_and_kept_for_ten_minutes() -> None:
    async with sign_in(OLD) as opened:
        assert opened.server.requests == 0
        for _ in range(3):
            assert await opened.check(OLD) == "genuine"
        opened.now += 599
        assert await opened.check(OLD) == "genuine"
        assert opened.server.requests == 1
        opened.now += 1
        assert await opened.check(OLD) == "genuine"
        assert opened.server.requests == 2


async def test_a_key_that_is_withdrawn_counts_for_ten_minutes_at_most() -> None:
    async with sign_in(OLD, NEW) as opened:
        assert await opened.check(OLD) == "genuine"
        opened.server.publish(NEW)
        opened.now += 600
        assert await opened.check(OLD) == "BadToken"
        assert await opened.check(NEW) == "genuine"


async def test_while_keys_are_rotated_both_count_and_a_new_one_costs_one_fetch() -> None:
    async with sign_in(OLD) as opened:
        assert await opened.check(OLD) == "genuine"
        opened.server.publish(OLD, NEW)
        opened.now += 30
        assert await opened.check(NEW) == "genuine"
        assert await opened.check(OLD) == "genuine"
        assert opened.server.requests == 2


async def test_foreign_keys_cause_a_fetch_every_thirty_seconds_at_most() -> None:
    async with sign_in(OLD) as opened:
        assert await opened.check(OLD) == "genuine"
        for fetches in (1, 2, 3):
            for second in (0, 29):
                opened.now += second
                assert await opened.check(FOREIGN) == "BadToken"
                assert opened.server.requests == fetches
            opened.now += 1
        assert await opened.check(OLD) == "genuine"


async def test_a_known_key_that_did_not_sign_causes_no_fetch() -> None:
    impostor = SigningKey.new("RS256", "old")
    async with sign_in(OLD) as opened:
        assert await opened.check(OLD) == "genuine"
        opened.now += 60
        assert await opened.check(impostor) == "BadToken"
        assert opened.server.requests == 1


@pytest.mark.parametrize("known", [False, True], ids=["first fetch", "unknown key"])
async def test_those_who_come_at_once_share_one_fetch(known: bool) -> None:
    async with sign_in(OLD) as opened:
        if known:
            assert await opened.check(OLD) == "genuine"
            opened.now += 60
        opened.server.publish(OLD, NEW)
        opened.server.requests = 0
        opened.server.open.clear()
        checks = [asyncio.create_task(opened.check(NEW)) for _ in range(20)]
        await eventually(lambda: opened.server.requests)
        # The one who began it goes away.
        checks[0].cancel()
        opened.server.open.set()
        assert set(await asyncio.gather(*checks[1:])) == {"genuine"}
        assert opened.server.requests == 1


async def test_keys_without_a_name_are_all_tried() -> None:
    keys = [SigningKey.new("RS256"), SigningKey.new("RS256"), SigningKey.new("ES256")]
    async with sign_in(*keys) as opened:
        for key in keys:
            assert await opened.check(key) == "genuine"
        # A name that the published ones don't have.
        named = SigningKey("RS256", keys[1].private, "named")
        assert await opened.check(named) == "genuine"
        assert opened.server.requests == 1

        # A nameless one may be new.
        added = SigningKey.new("ES256")
        opened.server.publish(*keys, added)
        opened.now += 30
        assert await opened.check(added) == "genuine"
        assert opened.server.requests == 2


async def test_a_token_without_a_name_is_tried_with_every_key() -> None:
    async with sign_in(OLD, SigningKey.new("RS256", "other")) as opened:
        assert await opened.check(SigningKey("RS256", OLD.private)) == "genuine"


UNUSABLE: list[Any] = [
    None,
    7,
    "key",
    [],
    {},
    {"kty": "RSA"},
    {"kty": "oct", "k": "AAAA", "kid": "a", "alg": "HS256"},
    {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
    {"kty": "RSA", "n": "AAAA", "e": "AQAB"},
    {"kty": "RSA", "n": "!", "e": "AQAB"},
    {"kty": "RSA", "n": 7, "e": []},
    {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
    {"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA"},
    {**NEW.public, "y": OLD.public["n"]},
    {**NEW.public, "use": "enc"},
    {**NEW.public, "alg": "ES384"},
    {**NEW.public, "key_ops": ["sign"]},
    {**NEW.public, "kid": 7},
    {**NEW.public, "key_ops": 7},
    {**OLD.public, "alg": "RS512"},
    {**OLD.public, "alg": "HS256"},
]


async def test_keys_that_are_of_no_use_are_left_out() -> None:
    async with sign_in() as opened:
        opened.server.keys = [*UNUSABLE, FOREIGN.public]
        assert await opened.check(FOREIGN) == "genuine"
        for key in (OLD, NEW):
            assert await opened.check(key) == "BadToken"


async def test_a_private_key_that_was_published_verifies_like_its_public_one() -> None:
    async with sign_in() as opened:
        opened.server.keys = [NEW.public | {"d": "AAAA"}]
        assert await opened.check(NEW) == "genuine"


GARBAGE: dict[str, dict[str, Any]] = {
    "an error": {"status": 500},
    "not there": {"status": 404},
    "elsewhere": {"status": 302, "headers": {"Location": "/jwks.json"}},
    "no JSON": {"body": b"<html>"},
    "not UTF-8": {"body": b"\xff\xfe\xfd"},
    "deep": {"body": b"[" * 200_000},
    "no object": {"body": b"[]"},
    "no keys": {"body": b"{}"},
    "keys no list": {"body": b'{"keys": {"kid": 1}}'},
    "empty": {"body": b'{"keys": []}'},
    "none of use": {"body": json.dumps({"keys": UNUSABLE}).encode()},
    "too large": {"body": json.dumps({"keys": [OLD.public], "x": "x" * 300_000}).encode()},
    "compressed": {
        "body": gzip.compress(json.dumps({"keys": [OLD.public]}).encode()),
        "headers": {"Content-Encoding": "gzip"},
    },
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_a_server_that_fails_changes_nothing(name: str) -> None:
    async with sign_in() as opened:
        vars(opened.server).update(GARBAGE[name])
        with capture_logs() as logs:
            assert await opened.check(OLD) == "KeysUnavailable"
        assert [line["event"] for line in logs] == ["jwks_unavailable"]

        # As long as there is nothing, it is tried again soon.
        vars(opened.server).update(status=200, body=None, headers={})
        opened.server.publish(OLD)
        opened.now += 1
        assert await opened.check(OLD) == "genuine"

        # What was had stays.
        opened.server.publish(FOREIGN)
        vars(opened.server).update(GARBAGE[name])
        requests = opened.server.requests
        for _ in range(3):
            opened.now += 600
            for _ in range(3):
                assert await opened.check(OLD) == "genuine"
        assert opened.server.requests == requests + 3


async def test_a_server_that_is_down_or_slow_is_waited_for_no_longer_than_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_keys, "TIMEOUT_SECONDS", 0.1)
    async with sign_in(OLD) as opened:
        opened.server.open.clear()
        checks = (opened.check(OLD) for _ in range(5))
        assert set(await asyncio.gather(*checks)) == {"KeysUnavailable"}
        assert opened.server.requests == 1
        opened.server.open.set()
        opened.now += 1
        assert await opened.check(OLD) == "genuine"
    opened.now += 600
    async with published_keys(opened.server.url) as nobody:
        with pytest.raises(KeysUnavailable):
            await nobody.get()


async def test_the_service_ends_while_it_waits_for_keys(database: str) -> None:
    request = (
        "GET /api/wallet/summary HTTP/1.1\r\n"
        f"Host: localhost\r\nAuthorization: Bearer {OLD.token(ORG_ID)}\r\n\r\n"
    )
    async with running_key_server(OLD) as server, AsyncExitStack() as stack:
        server.open.clear()
        service = await stack.enter_async_context(
            running_service(database, jwt_jwks_url=server.url, shutdown_timeout_seconds=0.1)
        )
        address = urlsplit(service.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(request.encode())
        await eventually(lambda: server.requests)
        async with asyncio.timeout(5):
            await stack.aclose()
        assert await reader.read() == b""
        writer.close()
        server.open.set()


@pytest.mark.parametrize("url", ["http://auth.example.com/jwks.json", "http://10.0.0.1/jwks.json"])
async def test_keys_are_fetched_where_nobody_can_change_them_on_the_way(
    database: str, url: str
) -> None:
    with pytest.raises(SettingsError, match="JWT_JWKS_URL is not usable"):
        async with running_service(database, jwt_jwks_url=url):
            raise AssertionError("it started")
