"""Idempotency keys: the first answer to a key is the answer to all repetitions.

https://docs.stripe.com/api/idempotent_requests
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .errors import StripeError
from .store import Store

MAX_LENGTH = 255
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    replayed: bool = False


def fingerprint(pairs: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(sorted(pairs)).encode()).hexdigest()


class IdempotencyKeys:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._in_use: set[str] = set()

    @contextmanager
    def claimed(self, key: str | None) -> Iterator[None]:
        """Nobody else executes a request with this key meanwhile."""
        if key is None:
            yield
            return
        if len(key) > MAX_LENGTH:
            raise StripeError(f"Idempotency keys may be at most {MAX_LENGTH} characters long.")
        if key in self._in_use:
            raise StripeError(
                "There is currently another in-progress request using this Idempotent Key"
                " (that probably means you submitted twice, and the other request is still"
                f" going through): {key}. Please try again later.",
                status=409,
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        self._in_use.add(key)
        try:
            yield
        finally:
            self._in_use.discard(key)

    def find(self, key: str, path: str, fingerprint: str) -> Answer | None:
        row = self._store.connection.execute(
            "select path, fingerprint, status, body from answers where key = ? and created > ?",
            [key, self._store.now() - KEPT_SECONDS],
        ).fetchone()
        if row is None:
            return None
        first_path, first_fingerprint, status, body = row
        if (path, fingerprint) != (first_path, first_fingerprint):
            what = (
                "with the same parameters they were first used with"
                if path == first_path
                else f"for the same endpoint they were first used for ('{first_path}')"
            )
            raise StripeError(
                f"Keys for idempotent requests can only be used {what}. Try using a key other"
                f" than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return Answer(status, json.loads(body), replayed=True)

    def save(self, key: str, path: str, fingerprint: str, answer: Answer) -> None:
        self._store.connection.execute(
            "insert or replace into answers values (?, ?, ?, ?, ?, ?)",
            [
                key,
                path,
                fingerprint,
                answer.status,
                json.dumps(answer.body),
                self._store.now(),
            ],
        )

    def forget_all(self) -> int:
        """As Stripe may do once they are 24 hours old."""
        return self._store.connection.execute("delete from answers").rowcount
