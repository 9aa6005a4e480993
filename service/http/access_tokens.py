"""Is an access token (JWT) genuine, in time, and meant for us?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import jwt

from ..settings import Settings
from .token_keys import SHARED_ALGORITHM, Key, PublishedKeys, published_keys, shared_keys

MAX_TOKEN_BYTES = 8192

# What the tokens of signed-in people say; a server's own say service_role.
ROLE = "authenticated"

# By which clocks may differ.
LEEWAY_SECONDS = 10


class BadToken(Exception):
    """The token proves nothing. `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenVerifier:
    def __init__(
        self,
        shared: tuple[Key, ...],
        published: PublishedKeys | None,
        *,
        audience: str,
        issuer: str | None,
    ) -> None:
        self._shared = shared
        self._published = published
        self._audience = audience
        self._issuer = issuer

    async def verify(self, token: str) -> dict[str, Any]:
        """The token's claims. Raises BadToken, and KeysUnavailable."""
        algorithm, kid = _read_header(token)
        if algorithm == SHARED_ALGORITHM or self._published is None:
            claims = self._check(token, self._shared, algorithm, None)
        else:
            keys = await self._published.get()
            claims = self._check(token, keys, algorithm, kid)
            if claims is None and all(key.kid is None or key.kid != kid for key in keys):
                keys = await self._published.get_newer()
                claims = self._check(token, keys, algorithm, kid)
        if claims is None:
            raise BadToken("InvalidSignatureError")
        if claims.get("role", ROLE) != ROLE:
            raise BadToken("InvalidRole")
        return claims

    def _check(
        self, token: str, keys: Iterable[Key], algorithm: object, kid: object
    ) -> dict[str, Any] | None:
        """None where none of the keys has signed the token."""
        for key in keys:
            if key.may_have_signed(algorithm, kid):
                try:
                    return jwt.decode(
                        token,
                        key.material,
                        algorithms=[key.algorithm],
                        audience=self._audience,
                        issuer=self._issuer,
                        leeway=LEEWAY_SECONDS,
                        options={"require": ["exp", "aud"]},
                    )
                except jwt.InvalidSignatureError:
                    continue
                except jwt.PyJWTError as exc:
                    raise BadToken(type(exc).__name__) from None
        return None


def _read_header(token: str) -> tuple[object, object]:
    """The algorithm and the key that the token says it was signed with."""
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise BadToken("Oversized")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as exc:
        raise BadToken(type(exc).__name__) from None
    return header.get("alg"), header.get("kid")


@asynccontextmanager
async def token_verifier(settings: Settings) -> AsyncIterator[TokenVerifier]:
    """By the keys that the settings name."""
    async with AsyncExitStack() as stack:
        published = None
        if settings.jwt_jwks_url:
            published = await stack.enter_async_context(published_keys(settings.jwt_jwks_url))
        yield TokenVerifier(
            shared_keys(settings.jwt_secrets),
            published,
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
        )
