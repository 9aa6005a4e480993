"""What the schema wallet has, as PostgreSQL's catalog tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.sql import SQL, Composable, Identifier

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, order=True)
class Column:
    table: str
    name: str
    type: str


@dataclass(frozen=True)
class Function:
    name: str
    parameters: dict[str, str]  # with the name of its type
    required: int  # so many of them have no default
    is_trigger: bool


def columns(connection: Connection) -> list[Column]:
    """Every column of every table and view, with the type below its domain."""
    rows = connection.execute(
        """
        select c.relname, a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)
          from pg_catalog.pg_class as c
          join pg_catalog.pg_attribute as a
            on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          join pg_catalog.pg_type as t on t.oid = a.atttypid
         where c.relnamespace = 'wallet'::regnamespace and c.relkind in ('r', 'v')
         order by c.relname, a.attnum
        """
    )
    return [Column(*row) for row in rows]


def columns_by_table(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in columns(connection):
        found.setdefault(each.table, []).append(each.name)
    return found


def readable_columns(connection: Connection, role: str) -> dict[str, list[str]]:
    """What the role may read of each table and view; nothing of many."""

    def may_read(table: str, column: str) -> bool:
        [(may,)] = connection.execute(
            "select has_column_privilege(%s, %s::regclass, %s, 'select')",
            [role, f"wallet.{table}", column],
        ).fetchall()
        return bool(may)

    return {
        table: [name for name in names if may_read(table, name)]
        for table, names in columns_by_table(connection).items()
    }


def owned_columns(connection: Connection) -> list[Column]:
    """Those of the tables whose rows belong to an organization."""
    found = columns(connection)
    owned = {each.table for each in found if each.name == "org_id"} | {"organizations"}
    owned -= views_of(connection)
    return [each for each in found if each.table in owned]


def owner_of(table: str) -> str:
    """The column that says whose row it is."""
    return "id" if table == "organizations" else "org_id"


def views_of(connection: Connection) -> set[str]:
    rows = connection.execute("select viewname from pg_views where schemaname = 'wallet'")
    return {view for (view,) in rows}


def functions(connection: Connection) -> list[Function]:
    """All that can be called by name: not those that take a value of any type."""
    rows = connection.execute(
        """
        select proname, coalesce(proargnames[1:pronargs], '{}'), proargtypes::regtype[]::text[],
               pronargs - pronargdefaults, prorettype = 'trigger'::regtype
          from pg_catalog.pg_proc
         where pronamespace = 'wallet'::regnamespace order by proname
        """
    )
    return [
        Function(name, dict(zip(names, types, strict=True)), *others)
        for name, names, types, *others in rows
        if "anyelement" not in types
    ]


def state_of(connection: Connection) -> dict[str, str]:
    """A digest of each table and view, to see whether anything was written."""
    digest = SQL("select md5(string_agg(t::text, '' order by t::text)) from {} as t")
    return {
        table: connection.execute(digest.format(table_name(table))).fetchall()[0][0]
        for table in columns_by_table(connection)
    }


def table_name(table: str) -> Composable:
    return Identifier("wallet", table)
