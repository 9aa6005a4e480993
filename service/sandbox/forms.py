"""Stripe's form encoding (`line_items[0][quantity]=1`), and the parameters that are known.

A shape says what a parameter holds: a reader of one value, a mapping of further names,
or a list with the shape of its items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .errors import StripeError

Params = dict[str, Any]
Reader = Callable[[Any, str], Any]
Shape = Mapping[str, Any]


def parse(pairs: Iterable[tuple[str, str]]) -> Params:
    """Nested as the brackets say; lists come as mappings from their indexes."""
    params: Params = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name) or [name]
        level = params
        for part in path:
            level = level.setdefault(part or str(len(level)), {})
            if not isinstance(level, dict):
                raise StripeError(f"Invalid parameter: {name}", param=name)
        level[last or str(len(level))] = value
    return params


def read(params: Params, shape: Shape, inside: str = "") -> Params:
    """The parameters with their types; those that aren't known are refused."""
    values = {}
    for name, value in params.items():
        full_name = f"{inside}[{name}]" if inside else name
        if name not in shape:
            raise StripeError(
                f"Received unknown parameter: {full_name}",
                code="parameter_unknown",
                param=full_name,
            )
        values[name] = _read_value(value, shape[name], full_name)
    return values


def _read_value(value: Any, shape: Any, name: str) -> Any:
    if isinstance(shape, Mapping):
        return read(_mapping(value, "hash", name), shape, name)
    if isinstance(shape, list):
        items = _mapping(value, "array", name).items()
        return [_read_value(item, shape[0], f"{name}[{index}]") for index, item in items]
    return shape(value, name)


def _mapping(value: Any, kind: str, name: str) -> Params:
    if not isinstance(value, dict):
        raise StripeError(f"Invalid {kind}", param=name)
    return value


def text(value: Any, name: str) -> str | None:
    """An empty text unsets what it names."""
    if not isinstance(value, str):
        raise StripeError(f"Invalid string: {value}", param=name)
    return value or None


def integer(value: Any, name: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}", value):
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise StripeError(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def url(value: Any, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[\w.:\[\]-]+([/?#]\S*)?", value):
        raise StripeError("Not a valid URL", code="url_invalid", param=name)
    return value


def one_of(*choices: str) -> Reader:
    def read_choice(value: Any, name: str) -> str:
        if value not in choices:
            raise StripeError(f"Invalid {name}: must be one of {', '.join(choices)}", param=name)
        return str(value)

    return read_choice


def either(first: Reader, second: Reader) -> Reader:
    """Such as `off_session`, a boolean or one of two words."""

    def read_either(value: Any, name: str) -> Any:
        try:
            return first(value, name)
        except StripeError:
            return second(value, name)

    return read_either


def metadata(value: Any, name: str) -> dict[str, str | None]:
    """Up to 50 texts, each of at most 500 characters, under names of at most 40."""
    values = {} if value == "" else _mapping(value, "hash", name)
    if len(values) > 50:
        raise StripeError("Metadata can have at most 50 keys.", param=name)
    for key, item in values.items():
        if len(key) > 40:
            raise StripeError(f"Metadata keys must be at most 40 characters: {key}", param=name)
        if len(text(item, f"{name}[{key}]") or "") > 500:
            raise StripeError(
                f"Metadata values must be at most 500 characters: {key}", param=f"{name}[{key}]"
            )
    return {key: item or None for key, item in values.items()}


def moment(value: Any, name: str) -> Any:
    """A time, or bounds such as `created[gte]`."""
    if isinstance(value, dict):
        return read(value, dict.fromkeys(("gt", "gte", "lt", "lte"), integer), name)
    return integer(value, name)
