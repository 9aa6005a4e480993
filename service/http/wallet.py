"""/api/wallet: what customers see of their wallet, and the settings that are theirs.

Each request is one function, called as its customer: row level security decides.
"""

from __future__ import annotations

from typing import Any, LiteralString
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ..stripe_api.checkout import Pence
from .answers import Refusal
from .body import as_model, read_body
from .keys import LOG_FIELDS
from .query import Day, Moment, Number, Query, SmallNumber, Text, as_query
from .tenants import Tenant, call_as

GET_SUMMARY: LiteralString = "select wallet.get_wallet_summary(%s)"
LIST_TRANSACTIONS: LiteralString = """
    select wallet.list_transactions(
        %s, p_limit => %s::integer, p_before => %s::bigint, p_types => %s::text[],
        p_from => %s::timestamptz, p_to => %s::timestamptz
    )
"""
GET_HISTORY: LiteralString = "select wallet.wallet_history(%s, %s::date, %s::date, %s)"
LIST_TOPUP_OPTIONS: LiteralString = "select wallet.list_own_topup_options()"
QUOTE_TOPUP: LiteralString = "select wallet.quote_own_topup(%s::bigint, %s::bigint)"
GET_TOPUP: LiteralString = "select wallet.get_own_topup(%s)"
GET_AUTO_RECHARGE: LiteralString = "select wallet.get_own_auto_recharge()"
SET_AUTO_RECHARGE: LiteralString = """
    select wallet.set_own_auto_recharge(%s, %s::bigint, %s::bigint)
"""

STATUS_OF_REFUSAL = {
    "organization_not_found": 404,
    "topup_not_found": 404,
    "amount_out_of_range": 422,
    "currency_not_offered": 422,
    "plan_not_found": 422,
}


class Entries(Query):
    """Which entries of the ledger; `to` is the first moment after them."""

    types: list[str] | None = Field(default=None, alias="type")
    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = None


class Page(Entries):
    limit: SmallNumber = 50
    before: Number | None = None


class Days(Query):
    from_: Day = Field(alias="from")
    to: Day
    time_zone: Text = "UTC"


class Quote(Query):
    usd_cents: Number | None = None
    amount_pence: Number | None = None


class AutoRecharge(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    enabled: bool
    threshold_pence: Pence | None = None
    amount_pence: Pence | None = None


async def show_summary(request: web.Request, tenant: Tenant) -> web.Response:
    return await _answer(request, tenant, GET_SUMMARY, tenant.org_id)


async def list_transactions(request: web.Request, tenant: Tenant) -> web.Response:
    page = as_query(request, Page)
    return await _answer(
        request,
        tenant,
        LIST_TRANSACTIONS,
        tenant.org_id,
        page.limit,
        page.before,
        page.types,
        page.from_,
        page.to,
    )


async def show_history(request: web.Request, tenant: Tenant) -> web.Response:
    days = as_query(request, Days)
    return await _answer(
        request, tenant, GET_HISTORY, tenant.org_id, days.from_, days.to, days.time_zone
    )


async def list_topup_options(request: web.Request, tenant: Tenant) -> web.Response:
    return await _answer(request, tenant, LIST_TOPUP_OPTIONS)


async def quote_topup(request: web.Request, tenant: Tenant) -> web.Response:
    quote = as_query(request, Quote)
    return await _answer(request, tenant, QUOTE_TOPUP, quote.usd_cents, quote.amount_pence)


async def show_topup(request: web.Request, tenant: Tenant) -> web.Response:
    return await _answer(request, tenant, GET_TOPUP, topup_id(request))


async def show_auto_recharge(request: web.Request, tenant: Tenant) -> web.Response:
    return await _answer(request, tenant, GET_AUTO_RECHARGE)


async def set_auto_recharge(request: web.Request, tenant: Tenant) -> web.Response:
    wish = as_model(await read_body(request), AutoRecharge)
    return await _answer(
        request, tenant, SET_AUTO_RECHARGE, wish.enabled, wish.threshold_pence, wish.amount_pence
    )


def topup_id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["topup_id"])
    except ValueError:
        raise Refusal(400, "invalid_request", "topup_id: Input should be a UUID.") from None


async def _answer(
    request: web.Request, tenant: Tenant, query: LiteralString, *args: Any
) -> web.Response:
    return respond(request, await call_as(request, tenant, query, *args))


def respond(request: web.Request, answer: dict[str, Any]) -> web.Response:
    """SQL's answer as it is: a refusal says in its own words what is in the way."""
    if answer["success"]:
        return web.json_response(answer)
    request[LOG_FIELDS]["error"] = answer["error"]
    return web.json_response(answer, status=STATUS_OF_REFUSAL.get(answer["error"], 409))
