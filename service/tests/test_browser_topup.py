"""Top-ups in a real browser: from the click to the balance, and what can happen on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from playwright.async_api import Page, Route, expect

from .browsers import Site, in_browser
from .docs import call
from .services import balance, open_wallet, topups
from .wallet_page import (
    DECLINED_CARD,
    choose,
    go_to_payment,
    loaded,
    pay,
    rows,
    shows_balance,
    shows_payment,
)
from .workers import eventually

pytestmark = in_browser

Connection = psycopg.Connection[Any]

NOT_CHARGED = "You have not been charged."


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    return open_wallet(connection)


async def test_from_the_click_to_the_new_balance(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await go_to_payment(page, "£50")
        await expect(page.get_by_role("heading", name="£50.00")).to_be_visible()
        # By another name the page to pay on is another site, as Stripe's is.
        await visit.go_to_other_site(page.url.replace("127.0.0.1", "localhost"))
        await pay(page)

        await shows_payment(page, "credited", "£50.00 was added. Your balance is £50.00.")
        await shows_balance(page, "£50.00")
        await expect(page.locator("#card-topups")).to_have_text("£50.00")
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text(["+£50.00"])
        assert page.url == f"{site.url}/wallet"
        assert [amount for amount, _ in topups(connection, org_id)] == [50_00]

        await page.reload()
        await shows_balance(page, "£50.00")
        await shows_payment(page, "none")


async def test_a_payment_page_that_was_left_can_be_gone_back_to(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        await page.get_by_role("link", name="Cancel").click()
        await shows_payment(page, "left", "You left the payment page. Nothing was charged.")
        await shows_balance(page, "£0.00")

        await page.get_by_role("link", name="Continue this payment").click()
        await pay(page)
        await shows_payment(page, "credited", "£25.00 was added.")
    assert await site.sandbox.count("checkout.session") == 1
    assert balance(connection, org_id) == 25_00


async def test_a_bank_debit_is_pending_until_it_arrives(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        checkout = page.url
        await page.get_by_role("button", name="Pay by bank debit").click()
        await shows_payment(page, "under-way", "Your bank is still working on this payment")
        await shows_balance(page, "£0.00")
        assert balance(connection, org_id) == 0

        async with visit.another_page(checkout) as bank:
            await bank.get_by_role("button", name="It arrives").click()
            await bank.wait_for_url("**/wallet*")
        await shows_payment(page, "credited", "£25.00 was added. Your balance is £25.00.")
        await shows_balance(page, "£25.00")


async def test_a_bank_debit_that_fails_charges_nothing(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        checkout = page.url
        await page.get_by_role("button", name="Pay by bank debit").click()
        await page.wait_for_url("**/wallet*")
        async with visit.another_page(checkout) as bank:
            await bank.get_by_role("button", name="It fails").click()
            await bank.wait_for_url("**/wallet*")
        await shows_payment(page, "failed", f"The payment failed. {NOT_CHARGED}")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator("#top-up-heading")).to_be_focused()
    assert balance(connection, org_id) == 0


async def test_after_a_declined_card_another_one_pays(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        await pay(page, DECLINED_CARD)
        await expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
        await page.get_by_role("link", name="Cancel").click()
        await shows_payment(page, "failed", f"The payment failed. {NOT_CHARGED}")
        assert balance(connection, org_id) == 0

        await page.get_by_role("link", name="Try again").click()
        await pay(page, "4242 4242 4242 4242")
        await shows_payment(page, "credited", "£25.00 was added.")
    assert balance(connection, org_id) == 25_00


async def test_a_bank_debit_after_a_declined_card_is_under_way(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        await pay(page, DECLINED_CARD)
        await eventually(lambda: failed_topups(connection) == 1)
        await page.get_by_role("button", name="Pay by bank debit").click()
        await shows_payment(page, "under-way", "Your bank is still working on this payment")


async def test_a_payment_after_a_declined_card_is_never_called_failed(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    """All that we have heard of is the decline."""
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page)
        await pay(page, DECLINED_CARD)
        await expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
        await eventually(lambda: failed_topups(connection) == 1)
        await site.sandbox.control("POST", "/webhooks/hold")
        await pay(page, "4242 4242 4242 4242")
        async with page.expect_response("**/events"):
            await page.wait_for_url("**/wallet?topup_id=*")
        await loaded(page)
        await shows_payment(page, "waiting", "Waiting for the payment to be confirmed")
        await site.sandbox.control("POST", "/webhooks/release")
        await shows_payment(page, "credited", "£25.00 was added.")


@pytest.mark.parametrize("heard_by", ["events", "asking"])
async def test_nothing_is_said_of_credits_until_the_ledger_has_them(
    site: Site, connection: Connection, org_id: UUID, heard_by: str
) -> None:
    """Stripe has the money, and its webhook is late."""
    other_way = "**/events" if heard_by == "asking" else re.compile(r"/topups/[\w-]+$")
    async with site.visit(org_id) as visit:
        page = visit.page
        await page.route(other_way, lambda route: route.abort())
        await go_to_payment(page)
        await site.sandbox.control("POST", "/webhooks/hold")
        await pay(page)
        await page.wait_for_url("**/wallet?topup_id=*")
        await shows_payment(page, "waiting", "Waiting for the payment to be confirmed")
        await loaded(page)
        await shows_balance(page, "£0.00")
        assert "was added" not in await page.inner_text("body")
        [session] = await site.sandbox.objects("checkout.session")
        assert session["payment_status"] == "paid"

        await site.sandbox.control("POST", "/webhooks/release")
        await shows_payment(page, "credited", "£25.00 was added. Your balance is £25.00.")
        await shows_balance(page, "£25.00")
        if heard_by == "asking":
            visit.forgive("net::ERR_FAILED GET */events")


async def test_a_double_click_makes_one_payment(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await choose(page, "£25")
        await page.get_by_role("button", name="Continue to payment").dblclick()
        await page.wait_for_url("**/c/pay/*")
        posts = [each for each in visit.responses if each.request.method == "POST"]
        assert len(posts) == 1
    assert await site.sandbox.count("checkout.session") == 1


async def test_a_click_whose_answer_is_lost_can_be_repeated(site: Site, org_id: UUID) -> None:
    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort()

    async with site.visit(org_id) as visit:
        page = visit.page
        await choose(page, "£25")
        await page.route("**/api/wallet/topups", lose_the_answer, times=1)
        await page.get_by_role("button", name="Continue to payment").click()
        await expect(page.locator("#top-up-error")).to_contain_text(NOT_CHARGED)
        visit.forgive("net::ERR_FAILED POST /api/wallet/topups")
        await page.get_by_role("button", name="Continue to payment").click()
        await page.wait_for_url("**/c/pay/*")
    assert await site.sandbox.count("checkout.session") == 1


async def test_when_stripe_is_out_the_customer_is_told_and_stays(site: Site, org_id: UUID) -> None:
    await site.sandbox.fault("POST", "/v1/checkout/sessions", answer=500, times=10)
    async with site.visit(org_id) as visit:
        page = visit.page
        await choose(page, "£25")
        await page.get_by_role("button", name="Continue to payment").click()
        await expect(page.locator("#top-up-error")).to_contain_text(NOT_CHARGED)
        await expect(page.get_by_role("button", name="Continue to payment")).to_be_enabled()
        visit.forgive("502 POST /api/wallet/topups")


async def test_dollars_are_converted_before_anybody_is_sent_to_pay(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    call(connection, "set_exchange_rate", "usd", "gbp", Decimal("0.79"), "a test")
    async with site.visit(org_id) as visit:
        page = visit.page
        await choose_own_amount(page, "25.00", "USD")
        await expect(page.locator("#quote")).to_have_text(
            "You'll be charged £19.75 GBP (~$25.00 USD)"
        )
        await page.get_by_role("button", name="Continue to payment").click()
        await expect(page.get_by_role("heading", name="£19.75")).to_be_visible()
        await pay(page)
        await shows_payment(page, "credited", "£19.75 was added.")
    assert balance(connection, org_id) == 19_75


async def test_an_amount_of_ones_own_is_checked_beside_its_field(
    site: Site, connection: Connection, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        for typed, told in (("", "Enter an amount"), ("0.50", "From £"), ("abc", "Enter an")):
            await choose_own_amount(page, typed)
            await page.get_by_role("button", name="Continue to payment").click()
            await expect(page.locator("#custom-error")).to_contain_text(told)
            await expect(page.locator("#custom-amount")).to_be_focused()
        await choose_own_amount(page, "12.34")
        await expect(page.locator("#quote")).to_have_text(
            "You'll be charged £12.34 GBP (~$15.62 USD)"
        )
        await page.get_by_role("button", name="Continue to payment").click()
        await pay(page)
        await shows_payment(page, "credited", "£12.34 was added.")
    assert balance(connection, org_id) == 12_34


async def test_a_plan_with_a_bonus(site: Site, connection: Connection, org_id: UUID) -> None:
    connection.execute(
        "select wallet.set_topup_plan('growth', 'Growth', 'gbp', 4500, 4500, 'a test', 500)"
    )
    async with site.visit(org_id) as visit:
        page = visit.page
        await go_to_payment(page, "Growth")
        await expect(page.get_by_role("heading", name="£45.00")).to_be_visible()
        await pay(page)
        await shows_payment(page, "credited", "£50.00 was added, £5.00 of it a bonus.")
        await shows_balance(page, "£50.00")


def failed_topups(connection: Connection) -> int:
    query = "select count(*) from wallet.topups where status = 'failed'"
    [(count,)] = connection.execute(query).fetchall()
    return int(count)


async def choose_own_amount(page: Page, typed: str, currency: str | None = None) -> None:
    await page.locator("label.choice").filter(has_text="Other amount").click()
    if currency:
        await page.get_by_label("Currency").select_option(label=currency)
    await page.get_by_role("textbox", name="Amount", exact=True).fill(typed)
