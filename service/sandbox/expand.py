"""`expand[]`: objects in place of their ids.

https://docs.stripe.com/api/expanding_objects
"""

from __future__ import annotations

from typing import Any

from .errors import StripeError
from .events import StripeObject
from .store import Store


def expand(store: Store, body: StripeObject, paths: list[str]) -> StripeObject:
    for path in paths:
        _expand(store, body, path.split("."), path)
    return body


def _expand(store: Store, body: Any, names: list[str], path: str) -> None:
    if isinstance(body, list):
        for item in body:
            _expand(store, item, names, path)
        return
    name, *rest = names
    if not isinstance(body, dict) or name not in body:
        raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(body[name], str):
        body[name] = store.get_any(body[name]) or body[name]
    if rest and body[name] is not None:
        _expand(store, body[name], rest, path)
