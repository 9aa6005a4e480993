"""The service's login on every version of PostgreSQL: membership means something else in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from .services import open_wallet
from .tenants import claims_of

pytestmark = pytest.mark.each_server

Connect = Callable[..., psycopg.Connection[Any]]

SUMMARY: LiteralString = "select wallet.get_wallet_summary(%s)"
BECOME: LiteralString = """
    select set_config('role', 'authenticated', true), set_config('request.jwt.claims', %s, true)
"""
TENANT_CALLS: tuple[LiteralString, ...] = (
    "select wallet.get_wallet_summary(%s)",
    "select wallet.list_transactions(%s)",
    "select wallet.get_own_topup(%s)",
    "select id from wallet.organizations where id = %s",
    "select org_id from wallet.credit_transactions where org_id = %s",
)
MACHINE_CALLS: tuple[LiteralString, ...] = (
    "select wallet.begin_topup(%s, 5000, p_return_url => 'https://acme.example')",
    "select wallet.attach_stripe_customer(%s, 'cus_1')",
)


@contextmanager
def a_login(connect: Connect, *groups: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a login that is in these groups and has nothing else."""
    admin = connect()
    name = Identifier(f"login_{uuid4().hex[:8]}")
    admin.execute(SQL("create role {} login").format(name))
    try:
        for group in groups:
            admin.execute(SQL("grant {} to {}").format(Identifier(group), name))
        with connect(user=name.as_string().strip('"')) as connection:
            yield connection
    finally:
        admin.execute(SQL("drop role {}").format(name))


def refused(connection: psycopg.Connection[Any], query: LiteralString, org_id: UUID) -> bool:
    try:
        with connection.transaction():
            connection.execute(query, [org_id] if "%s" in query else None)
    except InsufficientPrivilege:
        return True
    return False


def claims(org_id: UUID) -> str:
    return json.dumps(claims_of(org_id))


def test_the_login_is_a_tenant_for_the_transaction_in_which_it_becomes_one(
    connect: Connect,
) -> None:
    mine, theirs = open_wallet(connect(), balance_pence=5_00), open_wallet(connect())
    with a_login(connect, "wallet_webhook", "wallet_gateway") as service:
        assert all(refused(service, call, mine) for call in TENANT_CALLS)
        assert not any(refused(service, call, mine) for call in MACHINE_CALLS)

        with service.transaction():
            service.execute(BECOME, [claims(mine)])
            [(own,)] = service.execute(SUMMARY, [mine]).fetchall()
            [(other,)] = service.execute(SUMMARY, [theirs]).fetchall()
            seen = service.execute("select id from wallet.organizations").fetchall()
            assert all(refused(service, call, mine) for call in MACHINE_CALLS)
        assert own["balance_pence"] == 5_00
        assert other["error"] == "organization_not_found"
        assert seen == [(mine,)]

        assert all(refused(service, call, mine) for call in TENANT_CALLS)
        assert not any(refused(service, call, mine) for call in MACHINE_CALLS)


def test_the_gateway_alone_holds_nothing(connect: Connect) -> None:
    org_id = open_wallet(connect())
    with a_login(connect, "wallet_gateway") as login:
        assert all(refused(login, call, org_id) for call in TENANT_CALLS + MACHINE_CALLS)
        login.execute("set role wallet_gateway")
        assert all(refused(login, call, org_id) for call in TENANT_CALLS + MACHINE_CALLS)


@pytest.mark.parametrize(
    "role", ["service_role", "wallet_worker", "wallet_owner", "anon", "postgres"]
)
def test_it_can_become_nobody_else(connect: Connect, role: str) -> None:
    with (
        a_login(connect, "wallet_webhook", "wallet_gateway") as service,
        pytest.raises(InsufficientPrivilege),
    ):
        service.execute(SQL("set role {}").format(Identifier(role)))


def test_without_the_gateway_it_can_become_no_tenant(connect: Connect) -> None:
    with (
        a_login(connect, "wallet_webhook") as service,
        pytest.raises(InsufficientPrivilege),
        service.transaction(),
    ):
        service.execute(BECOME, [claims(uuid4())])
