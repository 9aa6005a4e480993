"""Colleagues who top up their wallet at once, as tenants of the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from .services import open_wallet
from .tenants import claims_of
from .test_races import Connect, Query, race

SESSIONS = 16
BEGIN: LiteralString = "select wallet.begin_own_topup(5000, null, %s, %s)"
HERE = "https://acme.example/wallet"


def as_user_of(connect: Connect, org_id: UUID) -> Connect:
    """Opens sessions that are this organization's from their start, but for the first of them.

    The first two of a race are its judge and its starter, who have to see every session.
    """
    claims = json.dumps(claims_of(org_id), separators=(",", ":"))
    options = f"-c role=authenticated -c request.jwt.claims={claims}"
    opened = 0

    def open_session(**parameters: Any) -> psycopg.Connection[Any]:
        nonlocal opened
        opened += 1
        return connect(**parameters, **({"options": options} if opened > 2 else {}))

    return open_session


@pytest.fixture
def org_id(connect: Callable[..., psycopg.Connection[Any]]) -> UUID:
    connection = connect()
    org_id = open_wallet(connection)
    connection.execute("select wallet.attach_stripe_customer(%s, 'cus_1')", [org_id])
    return org_id


def topups(connect: Connect) -> list[str]:
    """Where the customers of all top-ups come back to."""
    rows = connect().execute("select stripe_request ->> 'success_url' from wallet.topups")
    return [url.partition("?")[0] for (url,) in rows]


@pytest.mark.parametrize("key", ["click", None], ids=["with a key", "without"])
def test_the_same_wish_from_sixteen_sessions_is_one_topup(
    connect: Connect, org_id: UUID, key: str | None
) -> None:
    queries: list[Query] = [(BEGIN, [key, HERE])] * SESSIONS
    answers = race(as_user_of(connect, org_id), org_id, queries)

    assert all(answer["success"] for answer in answers)
    assert [answer["duplicate"] for answer in answers].count(False) == 1
    assert len({answer["topup_id"] for answer in answers}) == 1
    assert topups(connect) == [HERE]


def test_everybody_comes_back_to_where_they_asked_to(connect: Connect, org_id: UUID) -> None:
    """Nobody is sent to a page that leads to an address of a colleague's choice."""
    addresses = [HERE, "https://evil.example/"]
    queries: list[Query] = [(BEGIN, [None, addresses[i % 2]]) for i in range(SESSIONS)]
    answers = race(as_user_of(connect, org_id), org_id, queries)

    for number, answer in enumerate(answers):
        url = answer["request"]["params"]["success_url"]
        assert url.startswith(addresses[number % 2] + "?topup_id=")
    assert sorted(topups(connect)) == sorted(addresses)
