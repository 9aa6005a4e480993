"""The parts of a sandbox at work, which the API, the pages and the control API share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .call import Call
from .errors import CardError
from .faults import Faults
from .idempotency import IdempotencyKeys
from .store import Store
from .webhooks import Webhooks

REMEMBERED_REQUESTS = 1000


@dataclass
class Sandbox:
    store: Store
    webhooks: Webhooks
    keys: IdempotencyKeys
    url: str
    faults: Faults = field(default_factory=lambda: Faults([]))
    requests: deque[dict[str, Any]] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_REQUESTS)
    )

    @classmethod
    def at(cls, url: str, store: Store) -> Sandbox:
        return cls(store, Webhooks(store), IdempotencyKeys(store), url)

    def call(self, **request: Any) -> Call:
        return Call(self.store, self.webhooks, self.url, **request)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Changes with their events; deliveries begin once it has committed.

        What a card's refusal made of the payment is kept, any other error undoes it all.
        """
        refusal = None
        with self.store.transaction():
            try:
                yield
            except CardError as exc:
                refusal = exc
        self.webhooks.wake()
        if refusal:
            raise refusal

    def note_request(
        self, method: str, path: str, idempotency_key: str | None = None, query: str = ""
    ) -> None:
        self.requests.append(
            {"method": method, "path": path, "query": query, "idempotency_key": idempotency_key}
        )


SANDBOX = web.AppKey("SANDBOX", Sandbox)
