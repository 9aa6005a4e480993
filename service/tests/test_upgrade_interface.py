"""A database of this version serves those who were written against the released one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from .interface import RELEASED, answers, describe, numbered

# On purpose: what one user asked with is not for the whole organization.
WITHDRAWN = {
    f"topups.{column} may not be read by authenticated"
    for column in ("idempotency_key", "request_key", "stripe_request")
}

Connection = psycopg.Connection[Any]
Interface = dict[str, Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture(scope="module")
def released() -> Interface:
    interface: Interface = json.loads(RELEASED.read_text(encoding="utf-8"))
    return interface


def test_each_released_function_takes_the_calls_that_it_took(
    connection: Connection, released: Interface
) -> None:
    functions = describe(connection)["functions"]
    faults = [
        f"{name}: {fault}"
        for name, function in released["functions"].items()
        for fault in find_faults(function, functions.get(name))
    ]
    assert faults == []


def find_faults(old: Interface, new: Interface | None) -> list[str]:
    """What a caller of the old function would stumble over."""
    if new is None:
        return ["is gone, or nobody may call it"]
    faults = []
    if old["result"] != new["result"]:
        faults.append(f"answers {new['result']}, not {old['result']}")
    if lost := set(old["callers"]) - set(new["callers"]):
        faults.append(f"may not be called by {sorted(lost)}")
    common = new["parameters"][: len(old["parameters"])]
    for place, (name, kind, optional) in enumerate(old["parameters"]):
        if place >= len(common) or common[place][:2] != [name, kind]:
            faults.append(f"has no {name} {kind} as number {place + 1}")
        elif optional and not common[place][2]:
            faults.append(f"needs {name}")
    faults += [
        f"needs {name}, which was not there"
        for name, _kind, optional in new["parameters"][len(common) :]
        if not optional
    ]
    return faults


def test_each_released_column_can_be_read(connection: Connection, released: Interface) -> None:
    tables = describe(connection)["columns"]
    faults = []
    for table, columns in released["columns"].items():
        for column, old in columns.items():
            new = tables.get(table, {}).get(column)
            if new is None or new["type"] != old["type"]:
                faults.append(f"{table}.{column} is not {old['type']}")
            else:
                lost = set(old["readers"]) - set(new["readers"])
                faults += [f"{table}.{column} may not be read by {reader}" for reader in lost]
    assert set(faults) == WITHDRAWN


def test_whoever_listens_is_still_notified(connection: Connection, released: Interface) -> None:
    assert set(released["channels"]) <= set(describe(connection)["channels"])


def test_each_released_statement_still_means_something(
    connection: Connection, released: Interface
) -> None:
    for number, statement in enumerate(released["statements"]):
        connection.execute(f"prepare released_{number} as {numbered(statement)}".encode())


def test_each_released_answer_has_its_keys(connection: Connection, released: Interface) -> None:
    present = answers(connection)
    faults = [
        f"{label}{fault}"
        for label, shape in released["answers"].items()
        for fault in missing(shape, present[label])
    ]
    assert faults == []


def missing(old: Any, new: Any, path: str = "") -> list[str]:
    """Where a reader of the old answer would not find what it looks for."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            fault
            for key, value in old.items()
            for fault in (
                missing(value, new[key], f"{path}.{key}") if key in new else [f"{path}.{key}"]
            )
        ]
    if isinstance(old, list) and isinstance(new, list):
        # Of an empty one nothing is known.
        return missing(old[0], new[0], f"{path}[]") if old and new else []
    return [] if old == new or "null" in (old, new) else [f"{path} is {new}, not {old}"]
