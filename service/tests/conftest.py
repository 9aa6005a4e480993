"""Fixtures: a fresh migrated database for each test, on PostgreSQL 18 unless it asks for more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest

from .plugin import servers_key
from .servers import DatabaseServer

MAJORS = (18, 16, 15)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("each_server"):
        ids = [f"pg{major}" for major in MAJORS]
        metafunc.parametrize("server", MAJORS, indirect=True, ids=ids)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """PostgreSQL 18, or every version in turn with `@pytest.mark.each_server`."""
    major = getattr(request, "param", MAJORS[0])
    return request.config.stash[servers_key].get(major)


@pytest.fixture
def database(server: DatabaseServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a fresh migrated database, whose books must balance when the test ends.

    `@pytest.mark.broken_books` is for tests that break them on purpose.
    """
    balanced = request.node.get_closest_marker("broken_books") is None
    with server.new_database(balanced=balanced) as url:
        yield url


@pytest.fixture
def empty_database(server: DatabaseServer) -> Iterator[str]:
    """The URL of a fresh database without a schema."""
    with server.new_database(migrated=False) as url:
        yield url


@pytest.fixture
def connect(database: str) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Opens autocommitting connections to the test's database and closes them after it.

    Takes what psycopg.connect takes: `connect(user="…", row_factory=dict_row)`.
    """
    with ExitStack() as stack:

        def open_connection(**parameters: Any) -> psycopg.Connection[Any]:
            parameters = {"autocommit": True} | parameters
            return stack.enter_context(closing(psycopg.connect(database, **parameters)))

        yield open_connection
