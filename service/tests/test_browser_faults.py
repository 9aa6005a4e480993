"""The wallet page where an answer doesn't come, or isn't what it would like."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import psycopg
import pytest
from playwright.async_api import Route, expect

from .browsers import Site, in_browser
from .services import open_wallet
from .wallet_page import loaded, rows, shows_balance

pytestmark = in_browser


@pytest.fixture
def org_id(connect: Callable[..., psycopg.Connection[Any]]) -> UUID:
    return open_wallet(connect(), balance_pence=5_00)


async def test_an_answer_that_never_comes_is_given_up_on(site: Site, org_id: UUID) -> None:
    async def hold(_route: Route) -> None:
        """Neither answers nor refuses."""

    async with site.visit(org_id, "/health") as visit:
        page = visit.page
        await page.route("**/api/wallet/summary", hold)
        await page.clock.install()
        await page.clock.pause_at(datetime.now() + timedelta(hours=1))
        await page.goto(site.url + "/wallet")
        overview = page.locator("#overview")
        await expect(overview).to_have_attribute("data-state", "loading")
        await page.clock.run_for(20_000)
        await expect(overview.locator(".failure")).to_contain_text("No answer came.")

        await page.unroute("**/api/wallet/summary")
        await overview.get_by_role("button", name="Try again").click()
        await loaded(page)
        await shows_balance(page, "£5.00")


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (401, "unauthorized", "You are not signed in"),
        (403, "no_organization", "There is no wallet here"),
        (404, "organization_not_found", "There is no wallet here"),
        (503, "not_configured", "The wallet isn't available"),
    ],
)
async def test_who_can_have_no_wallet_is_told_so_once(
    site: Site, org_id: UUID, status: int, error: str, told: str
) -> None:
    async def refuse(route: Route) -> None:
        body = json.dumps({"error": error, "message": "Words for programs."})
        await route.fulfill(status=status, content_type="application/json", body=body)

    async with site.visit(org_id, "/health") as visit:
        page = visit.page
        await page.route("**/api/wallet/**", refuse)
        await page.goto(site.url + "/wallet")
        await expect(page.get_by_role("heading", name=told)).to_have_count(1)
        await expect(page.get_by_role("main")).to_be_hidden()
        assert "Words for programs" not in await page.inner_text("body")
        visit.troubles.clear()


async def test_a_time_zone_that_the_database_does_not_know_is_utc(site: Site, org_id: UUID) -> None:
    zones = []

    async def know_utc_alone(route: Route) -> None:
        zones.extend(parse_qs(urlsplit(route.request.url).query)["time_zone"])
        if zones[-1] == "UTC":
            await route.continue_()
        else:
            body = json.dumps({"error": "invalid_request", "message": "time_zone: unknown."})
            await route.fulfill(status=400, content_type="application/json", body=body)

    async with site.visit(org_id, "/health") as visit:
        page = visit.page
        await page.route("**/api/wallet/history?*", know_utc_alone)
        await page.goto(site.url + "/wallet")
        await loaded(page)
        await expect(page.locator("#balance-chart .readout")).to_contain_text("£5.00 now")
        visit.forgive("400 GET /api/wallet/history")
    assert zones == ["Europe/London", "UTC"]


async def test_pages_that_a_filter_leaves_empty_are_not_the_end(site: Site, org_id: UUID) -> None:
    """A filtered answer looks at so many entries and no more; here the one match is far back."""
    asked = []

    async def find_nothing_at_first(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        before = int(query.get("before", ["180002"])[0])
        if "type" not in query:
            await route.continue_()
        elif before > 2:
            asked.append(before)
            await answer(route, [], before - 20_000)
        else:
            await route.continue_()

    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await page.route("**/api/wallet/transactions?*", find_nothing_at_first)
        await page.locator("#filters summary").click()
        await page.get_by_role("checkbox", name="Bonus").check()
        more = page.get_by_role("button", name="Search further back")
        await expect(more).to_be_visible()
        await expect(page.locator("#entries-empty")).to_have_text(
            "None found among the newest transactions yet."
        )
        assert len(asked) == 5

        await more.click()
        await expect(rows(page)).to_have_count(1)
        await expect(page.locator("#entries-empty")).to_be_hidden()
        await expect(page.locator("#load-more")).to_be_hidden()
        await expect(page.locator("#entries-status")).to_have_text(
            "Showing 1 transaction. That is all."
        )
    assert asked == list(range(180_002, 2, -20_000))


async def answer(route: Route, transactions: list[Any], next_before: int) -> None:
    body = {"transactions": transactions, "has_more": True, "next_before": next_before}
    await route.fulfill(status=200, content_type="application/json", body=json.dumps(body))
