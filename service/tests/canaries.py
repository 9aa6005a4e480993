"""Marks that betray an organization wherever they turn up.

`mark` writes one into every text of its rows that the constraints leave free. Whatever an answer
to somebody else contains of these marks, or of the organization's large amounts, has leaked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import CheckViolation
from psycopg.sql import SQL, Identifier, Literal

from .catalog import Column, owned_columns, owner_of, table_name

Connection = psycopg.Connection[Any]

MARK = "canary"
MARKED_NUMBER = "+4491377"
MARK_FOUND = rf"{MARK}-[0-9a-f]{{12}}|{re.escape(MARKED_NUMBER)}[0-9]+"
LARGE_PENCE = 1_000_000
WORD = re.compile(r"[0-9]+(?:\.[0-9]{2})?")

# How a text may have to look: free, an address, a phone number. What was one text becomes one mark,
# wherever it stands, so that rows still find each other.
DIGEST = "left(md5(coalesce({old}::text, ctid::text)), 12)"
MARKS = (
    f"'{MARK}-' || {DIGEST}",
    f"'https://{MARK}-' || {DIGEST} || '.example'",
    f"'{MARKED_NUMBER}' || abs(hashtext(coalesce({{old}}::text, ctid::text)) % 1000000)",
)
MARKED_VALUES = {
    "text": "{mark}",
    "text[]": "array[{mark}]",
    "jsonb": """
        case when jsonb_typeof({old}) = 'object'
            then {old} || jsonb_build_object({mark}, {mark}) else to_jsonb({mark})
        end
    """,
}


def mark(connection: Connection, org_id: UUID) -> set[Column]:
    """Mark every text of the organization; the columns whose constraints let no mark in."""
    with connection.transaction(), _triggers_asleep(connection):
        return {
            column
            for column in owned_columns(connection)
            if column.type in MARKED_VALUES and not _mark_column(connection, column, org_id)
        }


def _mark_column(connection: Connection, column: Column, org_id: UUID) -> bool:
    name = Identifier(column.name)
    value = SQL(MARKED_VALUES[column.type])
    for text in MARKS:
        for rows in ("true", "{} is not null"):
            statement = SQL("update {} set {} = {} where {} = {} and {}").format(
                table_name(column.table),
                name,
                value.format(old=name, mark=SQL(text).format(old=name)),
                Identifier(owner_of(column.table)),
                Literal(org_id),
                SQL(rows).format(name),
            )
            with suppress(CheckViolation), connection.transaction():
                if connection.execute(statement).rowcount:
                    return True
    return False


@contextmanager
def _triggers_asleep(connection: Connection) -> Iterator[None]:
    """Neither foreign keys nor what keeps the ledger append-only look on."""
    always = connection.execute(
        "select tgrelid::regclass::text, tgname from pg_trigger where tgenabled = 'A'"
    ).fetchall()
    for state, role in (("disable", "replica"), ("enable always", "origin")):
        if state == "enable always":
            yield
        connection.execute(SQL("set local session_replication_role = {}").format(Literal(role)))
        for table, trigger in always:
            connection.execute(
                SQL("alter table {} {} trigger {}").format(
                    Identifier(*table.split(".")), SQL(state), Identifier(trigger)
                )
            )


@dataclass(frozen=True)
class Secrets:
    """What betrays an organization that was marked."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    amounts: frozenset[str]

    def found_in(self, answer: str, question: object = "") -> set[str]:
        """Those of them that the answer has, and that the question didn't say."""
        words = set(WORD.findall(answer.replace(",", "")))
        found = set(re.findall(MARK_FOUND, answer)) | self.amounts & words
        return {each for each in found if each not in str(question)}


def read_secrets(connection: Connection, org_id: UUID) -> Secrets:
    texts, ids, amounts = set[str](), set[str](), set[int]()
    for column in owned_columns(connection):
        values = [
            value
            for (value,) in connection.execute(
                SQL("select distinct {} from {} where {} = %s").format(
                    Identifier(column.name),
                    table_name(column.table),
                    Identifier(owner_of(column.table)),
                ),
                [org_id],
            )
            if value is not None
        ]
        if column.type == "text":
            texts |= {value for value in values[:1] if re.search(MARK_FOUND, value)}
        elif column.type == "uuid":
            ids |= {str(value) for value in values}
        elif column.name.endswith("_pence"):
            amounts |= {abs(value) for value in values if abs(value) >= LARGE_PENCE}
    rendered = {text for each in amounts for text in (str(each), f"{each // 100}.{each % 100:02}")}
    return Secrets(tuple(sorted(texts)), tuple(sorted(ids)), frozenset(rendered))
