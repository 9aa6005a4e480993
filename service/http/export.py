"""GET /api/wallet/transactions.csv: the ledger for a spreadsheet, however long it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any, LiteralString

import structlog
from aiohttp import web

from .answers import Refusal
from .keys import LOG_FIELDS
from .query import as_query
from .tenants import Tenant, call_as
from .wallet import Entries, respond

log = structlog.get_logger()

EXPORT: LiteralString = """
    select wallet.export_transactions(
        %s, p_before => %s::bigint, p_types => %s::text[],
        p_from => %s::timestamptz, p_to => %s::timestamptz
    )
"""

HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",
    "Content-Disposition": 'attachment; filename="wallet-transactions.csv"',
}

# Without it Excel takes the file for its own 8-bit encoding.
BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

# What spreadsheets take for a formula; the amounts are ours, and may begin with a minus.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
FREE_TEXT = "description"


async def export_transactions(request: web.Request, tenant: Tenant) -> web.StreamResponse:
    wanted = as_query(request, Entries)

    async def fetch(before: int | None) -> dict[str, Any]:
        return await call_as(
            request,
            tenant,
            EXPORT,
            tenant.org_id,
            before,
            wanted.types,
            wanted.from_,
            wanted.to,
        )

    page = await fetch(None)
    if not page["success"]:
        return respond(request, page)
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    await response.write((BYTE_ORDER_MARK + as_csv([page["columns"]])).encode())
    free_text = page["columns"].index(FREE_TEXT)
    try:
        while True:
            await response.write(as_csv(defuse(row, free_text) for row in page["rows"]).encode())
            if not page["has_more"]:
                break
            page = await fetch(page["next_before"])
    except Refusal as exc:
        # The client shall see that this is not all.
        request[LOG_FIELDS]["error"] = exc.error
        log.error("export_broken_off", orgId=str(tenant.org_id), error=exc.error)
        if request.transport:
            request.transport.abort()
    return response


def as_csv(rows: Iterable[list[str | None]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def defuse(row: list[str | None], column: int) -> list[str | None]:
    """The row with this column as text, whatever it begins with."""
    value = row[column] or ""
    if value.startswith(FORMULA_STARTS):
        return [*row[:column], "'" + value, *row[column + 1 :]]
    return row
