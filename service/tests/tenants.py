"""Customers as the tests have them: their tokens, the keys of their sign-in, their requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
from aiohttp import ClientResponse, ClientSession, DummyCookieJar, web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from yarl import URL

from ..http.app import WALLET_PATH, listen, listener_url
from ..http.tenants import COOKIE
from .services import Answer, Service, running_service

JWT_SECRET = "the-jwt-secret-of-the-tests-" + "x" * 40
USER_ID = "00000000-0000-4000-8000-00000000000a"


def claims_of(org_id: UUID | str | None, /, **others: Any) -> dict[str, Any]:
    """The claims of a user of this organization, as Supabase has them; None leaves one out."""
    now = int(time.time())
    claims = {
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "sub": USER_ID,
        "email": "zoe@example.com",
        "role": "authenticated",
        "app_metadata": {"org_id": str(org_id)} if org_id else None,
    } | others
    return {name: value for name, value in claims.items() if value is not None}


def make_token(
    org_id: UUID | str | None,
    key: Any = JWT_SECRET,
    algorithm: str | None = "HS256",
    /,
    *,
    kid: str | None = None,
    **claims: Any,
) -> str:
    headers = {"kid": kid} if kid else None
    return jwt.encode(claims_of(org_id, **claims), key, algorithm, headers)


@dataclass(frozen=True)
class SigningKey:
    """A pair of keys of a sign-in, of which the public one is published."""

    algorithm: str
    private: Any = field(repr=False)
    kid: str | None = None

    @classmethod
    def new(cls, algorithm: str = "RS256", kid: str | None = None) -> SigningKey:
        if algorithm == "RS256":
            return cls(algorithm, rsa.generate_private_key(65537, 2048), kid)
        return cls(algorithm, ec.generate_private_key(ec.SECP256R1()), kid)

    @property
    def public(self) -> dict[str, Any]:
        """As it is published."""
        kind = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        entry: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        named = {"kid": self.kid} if self.kid else {}
        return {**entry, **named, "use": "sig", "alg": self.algorithm}

    def token(self, org_id: UUID | str | None, **claims: Any) -> str:
        return make_token(org_id, self.private, self.algorithm, kid=self.kid, **claims)


@dataclass
class KeyServer:
    """Publishes keys, and counts how often it is asked for them."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    # In place of the keys.
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    # While it isn't set, nobody is answered.
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, *keys: SigningKey) -> None:
        self.keys = [key.public for key in keys]

    async def show(self, _request: web.Request) -> web.Response:
        self.requests += 1
        await self.open.wait()
        body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
        return web.Response(body=body, status=self.status, headers=self.headers)


@asynccontextmanager
async def running_key_server(*keys: SigningKey) -> AsyncIterator[KeyServer]:
    server = KeyServer()
    server.publish(*keys)
    server.open.set()
    app = web.Application()
    app.router.add_get("/jwks.json", server.show)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    with listen("127.0.0.1", 0) as listener:
        server.url = listener_url(listener) + "/jwks.json"
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield server
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Customer:
    """Somebody with a token, who sends it in a header, or in a cookie as a browser does."""

    service: Service
    token: str = field(repr=False)
    by_cookie: bool = False

    async def get(self, path: str, **params: Any) -> Answer:
        """Such as `get("/transactions", type=["topup", "bonus"])`."""
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, **body: Any) -> Answer:
        return await self.ask("POST", path, json=body)

    async def put(self, path: str, **body: Any) -> Answer:
        return await self.ask("PUT", path, json=body)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.request(method, path, **options) as response:
            return Answer(response.status, await response.json())

    @asynccontextmanager
    async def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsyncIterator[ClientResponse]:
        """The same, with all that there is to an answer."""
        own = {"Authorization": f"Bearer {self.token}"}
        if self.by_cookie:
            own = {"Cookie": f"{COOKIE}={self.token}", "Sec-Fetch-Site": "same-origin"}
        url = URL(self.service.url + WALLET_PATH + path, encoded=True)
        async with (
            ClientSession(cookie_jar=DummyCookieJar()) as client,
            client.request(
                method, url, headers={**own, **(headers or {})}, allow_redirects=False, **options
            ) as response,
        ):
            yield response


@asynccontextmanager
async def running_wallet_service(database: str, **settings: Any) -> AsyncIterator[Service]:
    """The service with JWT_SECRET set, so that it has customers."""
    async with running_service(database, **{"jwt_secret": JWT_SECRET, **settings}) as service:
        yield service


def customer_of(service: Service, org_id: UUID, **claims: Any) -> Customer:
    return Customer(service, make_token(org_id, **claims))
