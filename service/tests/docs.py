"""What tests of the documentation share: its pages, their tables, and what to hold them against."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from .docs_examples import ROOT, read

Connection = psycopg.Connection[Any]

PAGES = [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = ["README.md", *PAGES]

ACME = "6f9c8a52-3b1d-4e70-9d2b-0c5a7be41f10"
GLOBEX = "b1a7f0de-5c42-4a39-8e0c-2f6d9a3b7c55"

TOKEN = "a-token-of-the-tests-" + "x" * 20

CODE = re.compile(r"`([^`]+)`")
WORD = re.compile(r"[a-z_]+")


def deliver(connection: Connection, event: dict[str, Any]) -> dict[str, Any]:
    return call(connection, "process_stripe_event", event)


def call(connection: Connection, function: str, *arguments: Any, **named: Any) -> dict[str, Any]:
    """The answer of a function of the schema wallet."""
    values = [Jsonb(each) if isinstance(each, dict) else each for each in arguments]
    places = ["%s" for _ in values] + [f"{name} => %s" for name in named]
    query = f"select wallet.{function}({', '.join(places)})"
    [(answer,)] = connection.execute(query.encode(), [*values, *named.values()]).fetchall()
    return dict(answer)


def table(document: str, heading: str, number: int = 0) -> list[list[str]]:
    """The rows of the first table below a heading, or of a later one."""
    section = re.split(rf"^#+ {re.escape(heading)}$", read(document), flags=re.MULTILINE)[1]
    tables = re.findall(r"(?:^\|.*\|\n)+", section, re.MULTILINE)
    _titles, _line, *rows = tables[number].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def codes(rows: list[list[str]], column: int = 0) -> list[str]:
    return [code for row in rows for code in CODE.findall(row[column])]


def sources(folder: str, pattern: str) -> str:
    """The text of source files without their comments."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / folder).glob(pattern)))
    return re.sub(r"^ *--[^\n]*\n|^comment on .*?;$", "", text, flags=re.DOTALL | re.MULTILINE)


def domain_values(connection: Connection, domain: str) -> set[str]:
    """What a domain allows."""
    [(check,)] = connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where contypid = %s::regtype",
        [f"wallet.{domain}"],
    ).fetchall()
    return set(re.findall(r"'(\w+)'", check))


def table_of_keys(document: str, start: str) -> list[str]:
    """The keys of the JSON object that begins like this."""
    text = read(document)
    decoded, _end = json.JSONDecoder().raw_decode(text, text.index(start))
    return list(decoded)


def functions_of(connection: Connection, role: str) -> set[str]:
    rows = connection.execute(
        """
        select proname from pg_proc
         where pronamespace = 'wallet'::regnamespace and has_function_privilege(%s, oid, 'execute')
        """,
        [role],
    )
    return {name for (name,) in rows}
