"""Auto-recharge on the wallet page where the bank, or the server, says no."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from playwright.async_api import Route, expect

from ..database.pool import Database
from ..worker.recharge import settle_recharges
from .browsers import Site, in_browser
from .recharges import AMOUNT, open_recharging_wallet, spend, states
from .services import balance, open_wallet
from .wallet_page import loaded, pay, shows_payment
from .workers import worker_url

pytestmark = in_browser

Connection = psycopg.Connection[Any]

AUTHENTICATED_CARD = "4000 0025 0000 3155"


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


async def work_once(site: Site, database: str) -> None:
    opened = Database(worker_url(database), pool_size=4, timeout=10)
    await opened.open()
    try:
        await settle_recharges(opened, site.sandbox.stripe, "a worker")
    finally:
        await opened.close()


async def test_a_recharge_that_the_bank_wants_approved_is_paid_as_a_topup(
    site: Site, database: str, connection: Connection
) -> None:
    org_id = await open_recharging_wallet(
        connection, site.sandbox, card="pm_card_authenticationRequired"
    )
    spend(connection, org_id, 6_00)
    await work_once(site, database)
    assert states(connection, org_id) == ["requires_action"]

    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        state = page.locator("#recharge-state")
        await expect(state).to_have_text("Your bank wants you to approve this payment.")
        await page.get_by_role("button", name="Approve by paying £20.00").click()
        await page.wait_for_url("**/c/pay/*")
        await pay(page, AUTHENTICATED_CARD)
        await page.get_by_role("button", name="Approve").click()
        await shows_payment(page, "credited", "£20.00 was added. Your balance is £24.00.")

        # The attempt is still open, and nobody is asked to pay it again.
        await loaded(page)
        await expect(state).to_contain_text("It isn't needed any more")
        await expect(page.locator("#recharge-approve")).to_be_hidden()
    assert balance(connection, org_id) == 4_00 + AMOUNT
    assert states(connection, org_id) == ["requires_action"]


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            "threshold_pence: must be 0 or more and below the amount, 5000.",
            "This must be 0 or more and below the amount, 5000.",
        ),
        ("amount_pence: must be above 0.", "This must be above 0."),
    ],
)
async def test_what_the_server_refuses_is_said_beside_its_field_too(
    site: Site, connection: Connection, refusal: str, told: str
) -> None:
    async def refuse(route: Route) -> None:
        if route.request.method == "PUT":
            body = json.dumps({"error": "invalid_request", "message": refusal})
            await route.fulfill(status=400, content_type="application/json", body=body)
        else:
            await route.continue_()

    async with site.visit(open_wallet(connection)) as visit:
        page = visit.page
        await loaded(page)
        await page.route("**/api/wallet/auto-recharge", refuse)
        await page.get_by_role("button", name="Save").click()
        field = page.locator("#recharge-" + refusal.partition("_")[0])
        await expect(field).to_be_focused()
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description(told)
        visit.forgive("400 PUT /api/wallet/auto-recharge")
