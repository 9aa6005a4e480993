"""Going to the payment page and coming back from it, more than once or otherwise than expected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from playwright.async_api import Page, Request, Route, expect

from .browsers import Site, in_browser
from .services import balance, open_wallet
from .wallet_page import choose, go_to_payment, loaded, pay, shows_payment

pytestmark = in_browser

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def wishes(page: Page) -> list[Any]:
    """What the page asks for, as it does."""
    asked: list[Any] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/api/wallet/topups"):
            asked.append(request.post_data_json)

    page.on("request", note)
    return asked


async def test_a_double_click_asks_once(site: Site, connection: Connection) -> None:
    async with site.visit(open_wallet(connection)) as visit:
        page = visit.page
        asked = wishes(page)
        await choose(page, "£25")
        await page.get_by_role("button", name="Continue to payment").dblclick()
        await page.wait_for_url("**/c/pay/*")
        assert [wish["amount_pence"] for wish in asked] == [25_00]


async def test_a_wish_keeps_its_key_until_it_is_paid(site: Site, connection: Connection) -> None:
    async with site.visit(open_wallet(connection)) as visit:
        page = visit.page
        asked = wishes(page)
        for amount in ("£25", "£25", "£50"):
            await go_to_payment(page, amount)
            await page.go_back()
        await go_to_payment(page, "£50")
        await pay(page)
        await shows_payment(page, "credited")
        await go_to_payment(page, "£50")
        keys = [wish["request_key"] for wish in asked]
        assert [UUID(key).version for key in keys] == [4] * 5
        assert keys[0] == keys[1] != keys[2] == keys[3] != keys[4]
    assert await site.sandbox.count("checkout.session") == 3


async def test_a_wish_that_was_paid_in_another_tab_is_another_wish(
    site: Site, connection: Connection
) -> None:
    """Its key stands for a payment that is over."""
    org_id = open_wallet(connection)
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        paid = await visit.context.new_page()
        await paid.goto(page.url)
        await pay(paid)
        await shows_payment(paid, "credited")

        await page.go_back()
        await go_to_payment(page)
        await pay(page)
        await shows_payment(page, "credited", "Your balance is £50.00.")
        visit.forgive("409 POST /api/wallet/topups")
    assert balance(connection, org_id) == 50_00


async def test_who_comes_back_without_paying_finds_the_button_as_it_was(
    site: Site, connection: Connection
) -> None:
    async with site.visit(open_wallet(connection)) as visit:
        page = visit.page
        await go_to_payment(page)
        first = page.url
        await page.go_back()
        await loaded(page)
        await expect(page.get_by_role("button", name="Continue to payment")).to_be_enabled()
        await go_to_payment(page)
        assert page.url == first
    assert await site.sandbox.count("checkout.session") == 1


async def test_a_payment_of_another_wallet_is_not_told_of(
    site: Site, connection: Connection
) -> None:
    stranger = uuid4()
    for topup_id in (stranger, "nonsense"):
        async with site.visit(
            open_wallet(connection), f"/wallet?topup_id={topup_id}&checkout=success"
        ) as visit:
            page = visit.page
            await shows_payment(page, "unknown", "This payment isn't known in this wallet.")
            await expect(page).to_have_url(site.url + "/wallet")
            await loaded(page)
            visit.troubles.clear()


async def test_a_payment_that_is_slow_is_watched_on(site: Site, connection: Connection) -> None:
    org_id = open_wallet(connection)
    async with site.visit(org_id) as visit:
        page = visit.page
        await choose(page, "£25")
        await page.clock.install()
        await site.sandbox.control("POST", "/webhooks/hold")
        await go_to_payment(page)
        await pay(page)
        await page.wait_for_url("**/wallet?topup_id=*")
        await shows_payment(page, "waiting")
        await loaded(page)
        await page.clock.fast_forward(30_000)
        await shows_payment(page, "slow", "This takes longer than usual. Nothing is lost")
        await expect(page.locator("#payment-detail")).to_contain_text(topup_id(page))

        await page.reload()
        await site.sandbox.control("POST", "/webhooks/release")
        await shows_payment(page, "credited", "£25.00 was added.")


@pytest.mark.parametrize("events", ["refused", "held back"])
async def test_without_events_the_page_asks(
    site: Site, connection: Connection, events: str
) -> None:
    """At once where they are refused, and after a moment's silence where a proxy holds them."""

    async def treat(route: Route) -> None:
        if events == "refused":
            await route.abort()

    async with site.visit(open_wallet(connection)) as visit:
        page = visit.page
        await go_to_payment(page)
        await pay(page)
        await shows_payment(page, "credited")
        [(topup_id,)] = connection.execute("select id from wallet.topups").fetchall()

        await page.route("**/events", treat)
        await page.clock.install()
        await page.clock.pause_at(datetime.now() + timedelta(hours=1))
        await page.goto(f"{site.url}/wallet?topup_id={topup_id}&checkout=success")
        await loaded(page)
        if events == "refused":
            await shows_payment(page, "credited", "£25.00 was added.")
            visit.forgive("net::ERR_FAILED GET */events")
        else:
            await shows_payment(page, "waiting")
            await page.clock.run_for(3_000)
            await shows_payment(page, "credited", "£25.00 was added.")


def topup_id(page: Page) -> str:
    return str(UUID(page.url.partition("topup_id=")[2].partition("&")[0]))
