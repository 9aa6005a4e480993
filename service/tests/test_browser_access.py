"""The wallet page for everyone: keyboard, screen reader, phone, the dark; its weight and safety."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from playwright.async_api import Error, Locator, Page, Route, expect

from .browsers import PHONE, Site, in_browser
from .postgrest import find_modules
from .services import open_wallet
from .wallet_page import (
    DECLINED_CARD,
    go_to_payment,
    loaded,
    pay,
    rows,
    shows_payment,
)

pytestmark = in_browser

Connection = psycopg.Connection[Any]

FIRST_LOAD_BYTES = 150_000


@pytest.fixture
def org_id(connect: Callable[..., Connection]) -> UUID:
    """A wallet in use, which has something to show everywhere."""
    connection = connect()
    org_id = open_wallet(connection, balance_pence=9_00)
    connection.execute(
        """
        select wallet.deduct_call_credits(
            %s, 'call-' || n, null, 1, 0, 10 + n,
            p_description => 'A call whose description is long enough to need two lines or more'
        ) from generate_series(1, 30) as n
        """,
        [org_id],
    )
    return org_id


async def test_a_whole_topup_by_keyboard_alone(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await tab_to(page, page.get_by_role("radio", name="£10", exact=True))
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("radio", name="£25", exact=True)).to_be_checked()
        await expect(page.locator("#quote")).to_contain_text("£25.00 GBP")
        await tab_to(page, page.get_by_role("button", name="Continue to payment"))
        await page.keyboard.press("Space")
        await page.wait_for_url("**/c/pay/*")
        await tab_to(page, page.get_by_role("button", name="Pay", exact=True))
        await page.keyboard.press("Enter")
        await shows_payment(page, "credited", "£25.00 was added.")

        await loaded(page)
        await tab_to(page, page.locator("#filters summary"))
        await page.keyboard.press("Enter")
        await tab_to(page, page.get_by_role("checkbox", name="Top-up"))
        await page.keyboard.press("Space")
        await expect(rows(page)).to_have_count(1)
        await tab_to(page, page.get_by_role("button", name="Clear filters"))
        await page.keyboard.press("Enter")
        await tab_to(page, page.get_by_role("button", name="Load earlier"))
        await page.keyboard.press("Enter")
        await expect(rows(page)).to_have_count(32)
        await expect(page.locator("#entries-status")).to_be_focused()


async def test_on_a_phone_nothing_is_wider_than_the_screen(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id, viewport=PHONE, has_touch=True, is_mobile=True) as visit:
        page = visit.page
        await loaded(page)
        await page.locator("#filters summary").tap()
        await page.locator("#periods label").filter(has_text="90 days").tap()
        await page.locator("#spending-chart").get_by_role("button").tap()
        await page.locator("label.choice").filter(has_text="Other amount").tap()
        await expect(page.locator("#spending-table")).to_be_visible()
        assert await width(page) == PHONE["width"]
        await go_to_payment(page)
        assert await width(page) == PHONE["width"]
        await page.get_by_role("link", name="Cancel").tap()
        await shows_payment(page, "left")
        assert await width(page) == PHONE["width"]


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
async def test_no_state_of_the_page_has_a_barrier(
    site: Site, org_id: UUID, color_scheme: str
) -> None:
    # Of what is held against the page, only the contrast depends on its colours.
    rule = None if color_scheme == "light" else "color-contrast"
    async with site.visit(org_id, color_scheme=color_scheme) as visit:
        page = visit.page
        await loaded(page)
        assert await is_dark(page) == (color_scheme == "dark")
        await page.locator("#filters summary").click()
        for chart in ("balance", "spending"):
            await page.get_by_role("button", name=f"Show {chart} as table").click()
        await page.locator("label.choice").filter(has_text="Other amount").click()
        await page.get_by_role("button", name="Continue to payment").click()
        await expect(page.locator("#custom-error")).to_be_visible()
        await page.get_by_label("Top up by").fill("")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#recharge-amount-error")).to_be_visible()
        await has_no_barrier(page, rule)

        await go_to_payment(page)
        assert await is_dark(page) == (color_scheme == "dark")
        await has_no_barrier(page, rule)
        await pay(page, DECLINED_CARD)
        await page.get_by_role("link", name="Cancel").click()
        await shows_payment(page, "failed")
        await loaded(page)
        await has_no_barrier(page, rule)
        await page.get_by_role("link", name="Try again").click()
        await pay(page, "4242 4242 4242 4242")
        await shows_payment(page, "credited")
        await loaded(page)
        await has_no_barrier(page, rule)
        await visit.context.clear_cookies()
        await page.locator("#periods label").filter(has_text="7 days").click()
        await expect(page.locator("#notice")).to_contain_text("Your session has ended")
        await has_no_barrier(page, rule)
        visit.forgive("401 GET /api/wallet/history")
        await page.goto(f"{site.url}/wallet")
        await expect(page.get_by_role("heading")).to_have_text("Sign in")
        await has_no_barrier(page, rule)


async def test_the_first_load_is_light(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id) as visit:
        await loaded(visit.page)
        await visit.page.wait_for_load_state("networkidle")
        sizes = [await response.request.sizes() for response in visit.responses]
        assert len(sizes) > 5
        total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
        assert total < FIRST_LOAD_BYTES

        # What has not changed is not sent again.
        visit.responses.clear()
        await visit.page.reload()
        await loaded(visit.page)
        assets = [each for each in visit.responses if "/wallet/assets/" in each.url]
        sizes = [await response.request.sizes() for response in assets]
        assert sum(size["responseBodySize"] for size in sizes) == 0


async def test_what_somebody_slips_into_the_page_does_not_run(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id, "/health") as visit:
        page = visit.page
        await page.route("**/wallet", slip_in)
        await page.goto(f"{site.url}/wallet")
        await loaded(page)
        await page.locator("#slip").click()
        assert await page.evaluate("window.slippedIn") is None
        visit.forgive("console error: Executing inline script violates*")
        visit.forgive("console error: Executing inline event handler violates*")


async def test_what_a_script_would_let_in_or_out_is_stopped(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        for attack in (
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')",
            "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
            "setTimeout('alert(1)', 0)",
        ):
            with pytest.raises(Error):
                await page.evaluate(attack)
        visit.forgive("console error: This document requires 'Trusted*")
        await page.evaluate("fetch('https://elsewhere.example/').catch(() => {})")
        visit.forgive("console error: *elsewhere.example*")


async def slip_in(route: Route) -> None:
    """Scripts in the markup of the page, as a flaw of the service could put them there."""
    response = await route.fetch()
    run = "window.slippedIn = true"
    extra = f'<script>{run}</script><p id="slip" onclick="{run}">here</p>'
    headers = {**response.headers}
    headers.pop("content-encoding", None)
    body = (await response.text()).replace("</main>", f"{extra}</main>")
    await route.fulfill(status=response.status, headers=headers, body=body)


async def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the focus is there."""
    for _ in range(80):
        if await target.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{target} can't be reached by Tab")


async def width(page: Page) -> int:
    return int(await page.evaluate("document.documentElement.scrollWidth"))


async def is_dark(page: Page) -> bool:
    color = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in color.strip("rgba()").split(",")[:3]) < 3 * 128


async def has_no_barrier(page: Page, rule: str | None) -> None:
    """By all rules of axe-core, which are those of WCAG 2.2 A and AA and more, or by this one."""
    await page.evaluate((find_modules() / "axe-core" / "axe.min.js").read_text())
    options = {"runOnly": [rule]} if rule else {}
    result = await page.evaluate("options => axe.run(options)", options)
    assert result["passes"]
    barriers = [
        {"rule": each["id"], "help": each["help"], "at": [node["target"] for node in each["nodes"]]}
        for each in result["violations"]
    ]
    assert not barriers, json.dumps(barriers, indent=1)
