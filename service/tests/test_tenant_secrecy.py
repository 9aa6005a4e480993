"""Nothing of one organization reaches another's users: over PostgREST, in SQL, or over HTTP.

The other organization's rows are full of marks. A user asks for everything that there is to ask
for, with every id of the other one, and no answer may have a mark.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from ..http.app import WALLET_PATH
from ..run import ensure_service_role
from .canaries import Secrets, mark, read_secrets
from .catalog import (
    Column,
    Function,
    columns,
    functions,
    owned_columns,
    owner_of,
    table_name,
)
from .docs import functions_of
from .openapi import Description, Operation
from .organizations import fill
from .postgrest import Supabase, running_supabase
from .sandboxes import KEY, running_test_sandbox
from .services import service_url
from .tenants import Customer, claims_of, customer_of, running_wallet_service

Connection = psycopg.Connection[Any]
Question = tuple[str, dict[str, Any]]  # a function, and what it is asked with

pytestmark = pytest.mark.broken_books  # marks break the hash chain

# Texts of these columns are words of a list, which no mark is one of.
WORDS = {
    *("calls.direction", "calls.source", "credit_reservations.status"),
    *("credit_transactions.direction", "credit_transactions.type"),
    *("exchange_rates.from_currency", "exchange_rates.to_currency", "gate_limits.currency"),
    *("organizations.currency", "outbox_messages.status", "outbox_messages.topic"),
    *("phone_numbers.status", "prices.currency", "prices.rounding"),
    *("processed_stripe_webhooks.status", "recharge_attempts.currency", "recharge_attempts.state"),
    *("sms_callbacks.status", "sms_messages.status", "stripe_refunds.status"),
    *("topups.currency", "topups.kind", "topups.status", "wallet_freezes.cause"),
}

# A required argument of each type, where the test doesn't try others.
ARGUMENTS: dict[str, Any] = {
    "bigint": 1,
    "boolean": False,
    "date": "2100-01-01",
    "integer": 50,
    "jsonb": {},
    "text": "topup",
    "timestamp with time zone": "2100-01-01T00:00:00Z",
}
# What these need besides, to get as far as they can.
OPTIONAL_ARGUMENTS: dict[str, dict[str, Any]] = {
    "begin_own_topup": {"p_amount_pence": 20_00, "p_return_url": "https://shop.example.com"},
    "quote_own_topup": {"p_amount_pence": 20_00},
}

# The same of requests.
USUAL_PARAMETERS = {
    "/api/wallet/history": {"from": "2026-11-01", "to": "2027-10-31"},
    "/api/wallet/quote": {"usd_cents": "2500"},
}
USUAL_BODIES: dict[str, dict[str, Any]] = {
    "/api/wallet/auto-recharge": {"enabled": False},
    "/api/wallet/topups": {"amount_pence": 20_00},
}
# What their own user is told a secret by.
READS_OF_SECRETS = {
    "/api/wallet/auto-recharge",
    "/api/wallet/history",
    "/api/wallet/summary",
    "/api/wallet/topups/{topup_id}",
    "/api/wallet/transactions",
    "/api/wallet/transactions.csv",
}


class Way(Protocol):
    """How somebody asks the database; the answer is whatever comes back, errors included."""

    async def select(self, table: str, names: list[str], owner: UUID | None = None) -> str: ...

    async def call(self, function: str, arguments: dict[str, Any]) -> str: ...


@dataclass(frozen=True)
class OverPostgrest:
    supabase: Supabase
    token: str

    async def select(self, table: str, names: list[str], owner: UUID | None = None) -> str:
        condition = f"&{owner_of(table)}=eq.{owner}" if owner else ""
        question = f"/{table}?select={','.join(names)}{condition}"
        headers = {"Prefer": "count=exact"}
        reply = await self.supabase.request("GET", question, self.token, headers=headers)
        return f"{reply.text} {reply.headers.get('Content-Range')}"

    async def call(self, function: str, arguments: dict[str, Any]) -> str:
        return (await self.supabase.call(function, self.token, arguments)).text


@dataclass(frozen=True)
class InSql:
    """As the service does, whose login becomes the tenant; without claims, as the login itself."""

    connection: AsyncConnection[Any]
    claims: dict[str, Any] | None

    async def select(self, table: str, names: list[str], owner: UUID | None = None) -> str:
        statement = SQL("select {} from {}").format(
            SQL(", ").join(map(Identifier, names)), table_name(table)
        )
        if owner:
            statement += SQL(" where {} = {}").format(Identifier(owner_of(table)), Literal(owner))
        return await self._run(statement)

    async def call(self, function: str, arguments: dict[str, Any]) -> str:
        named = [
            SQL("{} => {}").format(
                Identifier(name), Literal(json.dumps(each) if isinstance(each, dict) else each)
            )
            for name, each in arguments.items()
        ]
        return await self._run(
            SQL("select {}({})").format(table_name(function), SQL(", ").join(named))
        )

    async def _run(self, statement: Any) -> str:
        try:
            async with self.connection.transaction():
                if self.claims is not None:
                    await self.connection.execute(
                        """
                        select set_config('role', 'authenticated', true),
                               set_config('request.jwt.claims', %s, true)
                        """,
                        [json.dumps(self.claims)],
                    )
                cursor = await self.connection.execute(statement)
                return str(await cursor.fetchall())
        except psycopg.Error as exc:
            found = exc.diag
            return f"{exc} {found.message_detail} {found.message_hint} {found.context}"


@dataclass(frozen=True)
class World:
    """Two organizations in a database, the second of which is marked."""

    database: str
    connection: Connection
    own: UUID
    other: UUID
    secrets: Secrets
    marked: list[Column]


@pytest.fixture
def world(database: str, connect: Callable[..., Connection]) -> World:
    connection = connect()
    own, other = fill(connection, "acme", 12_34), fill(connection, "globex", 91_377_310)
    for column in owned_columns(connection):
        [(rows,)] = connection.execute(
            SQL("select count(*) from {} where {} = %s").format(
                table_name(column.table), Identifier(owner_of(column.table))
            ),
            [other],
        ).fetchall()
        assert rows, f"no row of the other organization is in {column.table}"
    unmarked = mark(connection, other)
    assert {f"{each.table}.{each.name}" for each in unmarked} == WORDS
    texts = [each for each in owned_columns(connection) if each.type in ("text", "text[]", "jsonb")]
    marked = [each for each in texts if each not in unmarked]
    return World(database, connection, own, other, read_secrets(connection, other), marked)


@pytest.fixture(params=["PostgREST", "SQL"])
async def ways(
    request: pytest.FixtureRequest, world: World
) -> AsyncIterator[Callable[[UUID | None], Way]]:
    """The way of a user of an organization, or of somebody who may read everything."""
    if request.param == "PostgREST":
        async with running_supabase(world.database) as supabase:
            yield lambda org_id: OverPostgrest(
                supabase, supabase.sign(claims_of(org_id)) if org_id else supabase.key
            )
        return
    ensure_service_role(world.database)
    async with (
        await AsyncConnection.connect(world.database, autocommit=True) as superuser,
        await AsyncConnection.connect(service_url(world.database), autocommit=True) as service,
    ):
        yield lambda org_id: InSql(service, claims_of(org_id)) if org_id else InSql(superuser, None)


async def test_no_row_of_another_organization_is_read(
    world: World, ways: Callable[[UUID | None], Way]
) -> None:
    user, everybody, themselves = ways(world.own), ways(None), ways(world.other)
    unseen = []
    for column in columns(world.connection):
        answer = await user.select(column.table, [column.name])
        assert not world.secrets.found_in(answer), column
        answer = await everybody.select(column.table, [column.name])
        if column in world.marked and not world.secrets.found_in(answer):
            unseen.append(column)
    assert not unseen, "the test would not see them"

    for column in owned_columns(world.connection):
        answer = await user.select(column.table, [column.name], owner=world.other)
        assert not world.secrets.found_in(answer), column
    assert world.secrets.found_in(await themselves.select("organizations", ["name"]))


async def test_no_function_tells_of_another_organization(
    world: World, ways: Callable[[UUID | None], Way]
) -> None:
    user, themselves = ways(world.own), ways(world.other)
    granted = functions_of(world.connection, "authenticated")
    callable_ = [each for each in functions(world.connection) if each.name in granted]
    told = set()
    for function, arguments in chain.from_iterable(questions(world, each) for each in callable_):
        answer = await user.call(function, arguments)
        assert not world.secrets.found_in(answer, arguments), (function, arguments, answer)
        if world.secrets.found_in(await themselves.call(function, arguments), arguments):
            told.add(function)
    assert told >= {
        *("get_wallet_summary", "list_transactions", "export_transactions", "wallet_history"),
        *("wallet_statement", "balance_at", "get_own_topup", "get_own_auto_recharge"),
    }, "the test would not see it"


def questions(world: World, function: Function) -> list[Question]:
    """With the own organization, with each id, and with a text of each kind of the other's."""
    usual = dict(OPTIONAL_ARGUMENTS.get(function.name, {}))
    for name, kind in list(function.parameters.items())[: function.required]:
        usual[name] = str(world.own) if kind == "uuid" else ARGUMENTS[kind]
    tried = [(function.name, usual)]
    for name, kind in function.parameters.items():
        values = {"uuid": world.secrets.ids, "text": world.secrets.texts}.get(kind, ())
        tried += [(function.name, usual | {name: value}) for value in values]
    return tried


async def test_no_answer_of_the_service_tells_of_another_organization(world: World) -> None:
    told = set[str]()
    async with (
        running_test_sandbox() as sandbox,
        running_wallet_service(
            world.database, stripe_secret_key=KEY, stripe_api_base=sandbox.url
        ) as service,
    ):
        user, themselves = customer_of(service, world.own), customer_of(service, world.other)
        asked = [each for operation in own_operations() for each in requests(world, operation)]
        for operation, path, options in asked:
            answer = await read(user, operation.method, path, options)
            assert not world.secrets.found_in(answer, (path, options)), (path, options, answer)
            if operation.path in READS_OF_SECRETS - told:
                answer = await read(themselves, operation.method, path, options)
                if world.secrets.found_in(answer, (path, options)):
                    told.add(operation.path)
    assert told == READS_OF_SECRETS, "the test would not see it"


async def read(customer: Customer, method: str, path: str, options: dict[str, Any]) -> str:
    """All that a customer sees of an answer."""
    async with customer.request(method, path.removeprefix(WALLET_PATH), **options) as response:
        return f"{response.headers} {await response.text()}"


def own_operations() -> list[Operation]:
    """What the description lets customers ask for."""
    return [
        each for each in Description().operations() if {"userToken": []} in each.content["security"]
    ]


def requests(world: World, operation: Operation) -> list[tuple[Operation, str, dict[str, Any]]]:
    """With the ids and the texts of the other organization in every place of a request."""
    ids, texts = world.secrets.ids, world.secrets.texts
    usual = dict(USUAL_PARAMETERS.get(operation.path, {}))
    places = operation.content.get("parameters", [])
    if any(each["in"] == "path" for each in places):
        return [(operation, operation.path.format(topup_id=each), {}) for each in ids]
    found = [(operation, operation.path, {"params": usual})]
    for place in places:
        found += [
            (operation, operation.path, {"params": usual | {place["name"]: value}})
            for value in texts + ids
        ]
    if operation.method != "get":
        wish = USUAL_BODIES[operation.path]
        names = ("org_id", "plan", "request_key", "return_url", "user_id", "user_email")
        found = [
            (operation, operation.path, {"json": wish | extra})
            for extra in [{}, *({name: value} for name in names for value in texts + ids)]
        ]
    return found
