"""The wallet over Supabase's own API: PostgREST, and supabase-js with a signed-in user's token."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from .catalog import (
    columns_by_table,
    functions,
    owner_of,
    readable_columns,
    state_of,
    views_of,
)
from .docs import functions_of
from .organizations import fill
from .postgrest import JAVASCRIPT, Reply, Supabase, running_supabase, sign_token
from .tenants import USER_ID, claims_of

Connection = psycopg.Connection[Any]

SIGNED_IN = (JAVASCRIPT / "signed_in.mjs").read_text()
HOUR = 3600

INSUFFICIENT_PRIVILEGE = "42501"
NOT_WRITABLE = "55000"  # a view that sums up; found out before privileges are looked at
NO_SUCH_FUNCTION = "PGRST202"  # PostgREST shows no trigger functions
RETURN_URL = "https://shop.example.com/wallet"


@dataclass(frozen=True)
class Tenants:
    """Two organizations behind one API, and the id of a top-up of each."""

    supabase: Supabase
    connection: Connection
    own: UUID
    other: UUID

    def token(self, **changes: Any) -> str:
        """What Supabase gives a user of the first organization, or with these claims instead."""
        return self.supabase.sign(claims_of(self.own) | changes)

    async def ask(self, *questions: dict[str, Any], token: str | None = None) -> list[Any]:
        """What supabase-js answers the user."""
        output = await self.supabase.run(
            SIGNED_IN,
            SUPABASE_ANON_KEY=self.supabase.sign({"role": "anon"}),
            USER_TOKEN=token or self.token(),
            QUESTIONS=json.dumps(questions, default=str),
        )
        return [json.loads(line) for line in output.splitlines()]

    async def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        """The answer of one function to the user."""
        [answer] = await self.ask({"rpc": function, "args": arguments})
        assert answer["status"] == 200, answer
        data: dict[str, Any] = answer["data"]
        return data

    def topup_of(self, org_id: UUID) -> str:
        rows = self.connection.execute(
            "select id::text from wallet.topups where org_id = %s and status = 'paid'", [org_id]
        )
        return str(rows.fetchall()[0][0])


@pytest.fixture
async def tenants(database: str, connect: Callable[..., Connection]) -> AsyncIterator[Tenants]:
    connection = connect()
    own, other = fill(connection, "acme", 12_34), fill(connection, "globex", 56_78)
    async with running_supabase(database) as supabase:
        yield Tenants(supabase, connection, own, other)


async def test_what_a_signed_in_user_reads(tenants: Tenants) -> None:
    own = tenants.own
    topup_id = tenants.topup_of(own)
    period = {"p_org_id": own, "p_from": "2026-01-01", "p_to": "2026-12-31"}

    answers = await tenants.ask(
        {"rpc": "get_wallet_summary", "args": {"p_org_id": own}},
        {"rpc": "list_transactions", "args": {"p_org_id": own, "p_limit": 2, "p_types": ["topup"]}},
        {"rpc": "wallet_history", "args": period | {"p_time_zone": "Europe/London"}},
        {"rpc": "export_transactions", "args": {"p_org_id": own}},
        {"rpc": "list_own_topup_options"},
        {"rpc": "quote_own_topup", "args": {"p_usd_cents": 25_00}},
        {"rpc": "get_own_topup", "args": {"p_topup_id": topup_id}},
        {"rpc": "get_own_auto_recharge"},
    )

    assert {answer["status"] for answer in answers} == {200}
    data = [answer["data"] for answer in answers]
    assert all(answer["success"] for answer in data)
    summary, page, history, export, options, quote, topup, recharge = data
    assert summary["name"] == "acme"
    assert summary["total_profit_pence"] is None
    assert [entry["amount_pence"] for entry in page["transactions"]] == [12_34, 12_34]
    assert history["days"][-1]["closing_balance_pence"] == summary["balance_pence"]
    assert export["rows"][-1][3] == "acme pays"
    assert options["usd"]
    assert quote["charge_formatted"] == "£19.75"
    assert (topup["topup_id"], topup["credited"]) == (topup_id, True)
    assert recharge["enabled"]


async def test_what_a_signed_in_user_changes(tenants: Tenants) -> None:
    wish = {"p_amount_pence": 20_00, "p_request_key": "click", "p_return_url": RETURN_URL}
    begun = await tenants.call("begin_own_topup", **wish)
    again = await tenants.call("begin_own_topup", **wish)

    assert begun["next"] == "create_session"
    assert begun["request"]["params"]["metadata"]["org_id"] == str(tenants.own)
    assert begun["request"]["params"]["metadata"]["userEmail"] == "zoe@example.com"
    assert (again["topup_id"], again["duplicate"]) == (begun["topup_id"], True)

    turned_off = await tenants.call("set_own_auto_recharge", p_enabled=False)

    assert turned_off["enabled"] is False
    [(actor,)] = tenants.connection.execute(
        """
        select actor from wallet.organization_changes
         where org_id = %s and setting = 'auto_recharge.enabled' and new_value = 'false'
        """,
        [tenants.own],
    ).fetchall()
    assert actor == f"user:{USER_ID}"


async def test_what_belongs_to_another_organization_is_not_there(tenants: Tenants) -> None:
    other = tenants.other
    period = {"p_org_id": other, "p_from": "2026-01-01", "p_to": "2026-12-31"}
    before = state_of(tenants.connection)

    answers = await tenants.ask(
        {"rpc": "get_wallet_summary", "args": {"p_org_id": other}},
        {"rpc": "list_transactions", "args": {"p_org_id": other}},
        {"rpc": "wallet_history", "args": period},
        {"rpc": "wallet_statement", "args": period},
        {"rpc": "export_transactions", "args": {"p_org_id": other}},
        {"rpc": "balance_at", "args": {"p_org_id": other, "p_at": "2026-12-31"}},
        {"rpc": "get_own_topup", "args": {"p_topup_id": tenants.topup_of(other)}},
    )

    errors = [answer["data"]["error"] for answer in answers]
    assert errors == ["organization_not_found"] * 6 + ["topup_not_found"]
    assert state_of(tenants.connection) == before


async def test_tables_show_the_own_rows_and_the_allowed_columns(tenants: Tenants) -> None:
    all_columns = columns_by_table(tenants.connection)
    for table, readable in readable_columns(tenants.connection, "authenticated").items():
        for column in all_columns[table]:
            question = f"/{table}?select={column}"
            reply = await tenants.supabase.request("GET", question, tenants.token())
            if column in readable:
                assert reply.status == 200, (question, reply)
            else:
                assert reply.code == INSUFFICIENT_PRIVILEGE, (question, reply)
        if (owner := owner_of(table)) in readable:
            question = f"/{table}?select={','.join(readable)}"
            reply = await tenants.supabase.request("GET", question, tenants.token())
            owners = {row[owner] for row in json.loads(reply.text)}
            assert owners == {str(tenants.own)}, table


@pytest.mark.parametrize(("role", "status"), [("authenticated", 403), ("anon", 401)])
async def test_no_table_can_be_written(tenants: Tenants, role: str, status: int) -> None:
    """Row level security aside: no token of either role has the privilege."""
    before = state_of(tenants.connection)
    token = tenants.token() if role == "authenticated" else None
    views = views_of(tenants.connection)
    for table, [column, *_] in columns_by_table(tenants.connection).items():
        writes = [
            ("POST", f"/{table}", {column: None}),
            ("PATCH", f"/{table}?{column}=is.null", {column: None}),
            ("DELETE", f"/{table}?{column}=is.null", None),
        ]
        for method, path, body in writes:
            reply = await tenants.supabase.request(method, path, token, body=body)
            if table in views and reply.code == NOT_WRITABLE:
                continue
            assert (reply.status, reply.code) == (status, INSUFFICIENT_PRIVILEGE), (path, reply)
    assert state_of(tenants.connection) == before


async def test_nobody_reads_a_table_without_a_token(tenants: Tenants) -> None:
    for token in (None, tenants.supabase.sign({"role": "anon"})):
        for table in columns_by_table(tenants.connection):
            reply = await tenants.supabase.request("GET", f"/{table}", token)
            assert (reply.status, reply.code) == (401, INSUFFICIENT_PRIVILEGE), (table, reply)


@pytest.mark.parametrize(("role", "status"), [("authenticated", 403), ("anon", 401)])
async def test_every_function_that_is_not_granted_is_refused(
    tenants: Tenants, role: str, status: int
) -> None:
    before = state_of(tenants.connection)
    token = tenants.token() if role == "authenticated" else None
    granted = functions_of(tenants.connection, role)
    assert ("begin_own_topup" in granted) == (role == "authenticated")
    for function in functions(tenants.connection):
        if function.name not in granted:
            nulls = dict.fromkeys(function.parameters)
            reply = await tenants.supabase.call(function.name, token, nulls)
            refused = (status, INSUFFICIENT_PRIVILEGE)
            if function.is_trigger:
                refused = (404, NO_SUCH_FUNCTION)
            assert (reply.status, reply.code) == refused, (function.name, reply)
    assert state_of(tenants.connection) == before


async def test_nobody_makes_postgrest_repeat_itself_for_ever(tenants: Tenants) -> None:
    """It repeats what fails with 40001, also when the client has gone."""
    for code in ("40001", "PT200", "WL001"):
        misuse = {"p_sqlstate": code, "p_field": "p_x", "p_expected": "is required"}
        async with asyncio.timeout(10):
            reply = await tenants.supabase.call("raise_misuse", tenants.token(), misuse)
        assert reply.status == 400, reply


WITHOUT_ORGANIZATION: dict[str, Any] = {
    "no app_metadata": None,
    "an empty one": {},
    "null": {"org_id": None},
    "a number": {"org_id": 7},
    "a list": {"org_id": ["00000000-0000-4000-8000-000000000001"]},
    "an object": {"org_id": {"id": 1}},
    "no uuid": {"org_id": "acme"},
    "a text for app_metadata": "org_id",
    "a wallet that isn't there": {"org_id": str(uuid4())},
}


@pytest.mark.parametrize("app_metadata", WITHOUT_ORGANIZATION.values(), ids=WITHOUT_ORGANIZATION)
async def test_a_token_without_an_organization_shows_nothing(
    tenants: Tenants, app_metadata: object
) -> None:
    """Whatever else it names: only app_metadata is out of a user's own reach."""
    elsewhere = {"org_id": str(tenants.own)}
    token = tenants.token(app_metadata=app_metadata, user_metadata=elsewhere, **elsewhere)
    for function, arguments in {
        "get_own_auto_recharge": {},
        "list_own_topup_options": {},
        "get_own_topup": {"p_topup_id": tenants.topup_of(tenants.own)},
        "quote_own_topup": {"p_amount_pence": 1},
        "begin_own_topup": {"p_amount_pence": 20_00, "p_return_url": RETURN_URL},
        "set_own_auto_recharge": {"p_enabled": False},
    }.items():
        reply = await tenants.supabase.call(function, token, arguments)
        assert json.loads(reply.text)["error"] == "organization_not_found", (function, reply)

    for reply in [
        await tenants.supabase.call("get_wallet_summary", token, {"p_org_id": str(tenants.own)}),
        await tenants.supabase.request("GET", "/topups?select=id", token),
        await tenants.supabase.request("GET", "/organizations?select=id", token),
    ]:
        shown = json.loads(reply.text)
        nothing = shown == [] or shown.get("error") == "organization_not_found"
        assert nothing or (reply.status, reply.code) == (400, "22P02"), reply


async def test_a_token_that_is_not_valid_is_refused(tenants: Tenants) -> None:
    claims = claims_of(tenants.own)
    now = int(time.time())
    secret = tenants.supabase.secret
    service = {"role": "service_role", "exp": now + HOUR}
    for name, token in {
        "expired": sign_token(claims | {"exp": now - HOUR}, secret),
        "not valid yet": sign_token(claims | {"nbf": now + HOUR}, secret),
        "unsigned": sign_token(claims, secret, "none"),
        "signed with another secret": sign_token(claims, "x" * 64),
        "service_role, signed with another secret": sign_token(service, "x" * 64),
        "service_role, unsigned": sign_token(service, secret, "none"),
        "service_role, under the signature of a user": splice(
            sign_token(service, secret), sign_token(claims, secret)
        ),
        "without its signature": sign_token(claims, secret).rpartition(".")[0] + ".",
        "no token": "token",
    }.items():
        for reply in await everything(tenants, token):
            assert reply.status == 401, (name, reply)

    for role in ("wallet_owner", "wallet_webhook", "wallet_gateway", "postgres", "pg_monitor"):
        for reply in await everything(tenants, tenants.token(role=role)):
            assert reply.code == INSUFFICIENT_PRIVILEGE, (role, reply)


def splice(payload: str, signature: str) -> str:
    return payload.rpartition(".")[0] + "." + signature.rpartition(".")[2]


async def everything(tenants: Tenants, token: str) -> list[Reply]:
    """What the token gets of the summary, the ledger, and a backend's function."""
    own = {"p_org_id": str(tenants.own)}
    return [
        await tenants.supabase.call("get_wallet_summary", token, own),
        await tenants.supabase.request("GET", "/credit_transactions?select=id", token),
        await tenants.supabase.call(
            "set_debt_limit",
            token,
            {
                **own,
                "p_debt_limit_pence": 1,
                "p_actor": "nobody",
            },
        ),
    ]


async def test_no_other_schema_is_served(tenants: Tenants) -> None:
    for schema in ("pg_catalog", "information_schema", "wallet_migrations", "public"):
        reply = await tenants.supabase.request(
            "POST",
            "/rpc/set_config",
            tenants.token(),
            body={"setting_name": "role", "new_value": "service_role", "is_local": True},
            headers={"Content-Profile": schema},
        )
        assert reply.status == 406, (schema, reply)
