"""What a resource works with: the objects, the clock, and a way to announce changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import events
from .errors import missing_object, missing_parameter
from .events import StripeObject
from .forms import Params
from .store import Store
from .webhooks import Webhooks


@dataclass(frozen=True)
class Call:
    """One request of the API, the hosted page or the control API, in one transaction."""

    store: Store
    webhooks: Webhooks
    url: str
    params: Params = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None

    @property
    def now(self) -> int:
        return self.store.now()

    def require(self, *names: str) -> None:
        for name in names:
            if self.params.get(name) is None:
                raise missing_parameter(name)

    def find(self, kind: str, object_id: str, param: str = "id") -> StripeObject:
        found = self.store.get(kind, object_id)
        if found is None:
            raise missing_object(kind.rpartition(".")[2], object_id, param)
        return found

    def add(self, body: StripeObject, private: Mapping[str, Any] | None = None) -> StripeObject:
        self.store.insert(body, private)
        return body

    def change(self, body: StripeObject, **fields: Any) -> StripeObject:
        body |= fields
        self.store.update(body)
        return body

    def announce(
        self, event_type: str, body: StripeObject, previous: StripeObject | None = None
    ) -> None:
        """The event, which holds the object as it is now, on its way to the endpoints."""
        event = events.event(event_type, body, created=self.now, previous_attributes=previous)
        # What the pages and the control API do has no request.
        event["request"] = {"id": self.request_id, "idempotency_key": self.idempotency_key}
        self.store.insert(event)
        self.webhooks.enqueue(event)


def merged(metadata: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Metadata with changes; an empty value removes its key."""
    values = {**metadata, **changes}
    return {key: value for key, value in values.items() if value is not None}
