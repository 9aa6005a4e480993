"""Auto-recharge on the wallet page: settings, their errors, and the card that a top-up saves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from playwright.async_api import expect

from .browsers import Site, in_browser
from .services import open_wallet
from .wallet_page import go_to_payment, loaded, pay, shows_payment

pytestmark = in_browser

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


async def test_a_topup_saves_the_card_and_recharges_can_be_switched_on(
    site: Site, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await expect(page.locator("#recharge-card")).to_contain_text("No card is saved")
        await go_to_payment(page)
        await pay(page, "5555 5555 5555 4444")
        await shows_payment(page, "credited")
        await expect(page.locator("#recharge-card")).to_contain_text("Mastercard ending 4444")

        await page.get_by_role("switch", name="Recharge automatically").check()
        await page.get_by_label("When the balance falls below").fill("7.50")
        await page.get_by_label("Top up by").fill("40")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#recharge-status")).to_have_text("Saved.")
        await expect(page.locator("#card-recharge")).to_have_text("On")
        await expect(page.locator("#recharge-state")).to_contain_text(
            "£40.00 is added when the balance falls below £7.50"
        )

        await page.reload()
        await expect(page.get_by_role("switch", name="Recharge automatically")).to_be_checked()
        await expect(page.get_by_label("When the balance falls below")).to_have_value("7.50")
        await expect(page.get_by_label("Top up by")).to_have_value("40.00")
    [saved] = connection.execute(
        """
        select wallet_auto_recharge, wallet_low_balance_pence, wallet_recharge_amount_pence
          from wallet.organizations
        """
    ).fetchall()
    assert saved == (True, 7_50, 40_00)


async def test_what_cannot_be_saved_is_said_beside_its_field(
    site: Site, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        threshold = page.get_by_label("When the balance falls below")
        amount = page.get_by_label("Top up by")
        for below, by, field, told in (
            ("5", "", amount, "Enter an amount"),
            ("x", "20", threshold, "Enter an amount"),
            ("30", "20", threshold, "Enter less than £20.00"),
            ("5", "1000000", amount, "At most"),
        ):
            await threshold.fill(below)
            await amount.fill(by)
            await page.get_by_role("button", name="Save").click()
            await expect(field).to_be_focused()
            await expect(field).to_have_attribute("aria-invalid", "true")
            await expect(field).to_have_accessible_description(re.compile(told))
        await expect(page.locator("#card-recharge")).to_have_text("Off")
