"""Coming to the wallet page and leaving it: signing in and out, and a session that ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from playwright.async_api import Browser, expect

from ..http.tenants import COOKIE
from ..sandbox.sign_in import HostApplication
from .browsers import PHONE, Site, in_browser
from .sandboxes import connected
from .services import WalletProcess, open_wallet
from .wallet_page import go_to_payment, loaded, pay, rows, shows_balance, shows_payment

pytestmark = in_browser


@pytest.fixture
def org_id(connect: Callable[..., psycopg.Connection[Any]]) -> UUID:
    return open_wallet(connect(), balance_pence=5_00)


async def test_a_newcomer_opens_what_wallet_run_prints_and_tops_up(
    browser: Browser, tmp_path: Path
) -> None:
    with WalletProcess(tmp_path, "run", PORT="0") as process:
        url = await asyncio.to_thread(process.wait_for_url)
        await asyncio.to_thread(process.wait_until, lambda: "Ctrl-C stops" in process.output)
        assert f"Wallet     {url}/  (open it and top up: no money moves)" in process.output
        secret = (tmp_path / ".pgwallet" / "jwt_secret").read_text().strip()
        stripe = (tmp_path / ".pgwallet" / "sandbox_url").read_text().strip()
        async with connected(stripe) as sandbox:
            demo = Site(url, sandbox, HostApplication(url, secret, "authenticated"), browser)
            async with demo.visit(None, "/", viewport=PHONE) as visit:
                page = visit.page
                await loaded(page)
                assert page.url == f"{url}/wallet"
                await expect(page.get_by_role("heading", level=1)).to_have_text("Demo organization")
                await go_to_payment(page)
                await pay(page)
                await shows_payment(page, "credited", "£25.00 was added.")
                await shows_balance(page, "£25.00")
        assert await asyncio.to_thread(process.stop) == 0
        assert secret not in process.output


async def test_who_signs_in_comes_back_to_where_they_wanted_to_go(site: Site, org_id: UUID) -> None:
    path = "/wallet?topup_id=00000000-0000-4000-8000-00000000000a&checkout=success"
    async with site.visit(None, path) as visit:
        page = visit.page
        await expect(page.get_by_role("heading")).to_have_text("Sign in")
        await page.get_by_label("Organization id").fill(str(org_id))
        await page.get_by_role("button", name="Open the wallet").click()
        await shows_payment(page, "unknown")
        await shows_balance(page, "£5.00")
        [cookie] = await visit.context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Lax")
        assert await page.evaluate("document.cookie") == ""
        visit.forgive("404 GET /api/wallet/topups/*")


async def test_who_signs_out_is_out(site: Site, org_id: UUID) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/sign-in")
        assert await visit.context.cookies() == []
        await page.go_back()
        await expect(page).to_have_url(re.compile("/sign-in[?]return_to="))


async def test_a_session_that_ends_in_the_middle_can_be_taken_up_again(
    site: Site, org_id: UUID
) -> None:
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await visit.context.clear_cookies()
        await page.locator("#periods label").filter(has_text="7 days").click()
        notice = page.locator("#notice")
        await expect(notice).to_contain_text("Your session has ended")
        await shows_balance(page, "£5.00")
        visit.forgive("401 GET /api/wallet/history")

        await notice.get_by_role("link", name="Sign in again").click()
        await page.get_by_label("Organization id").fill(str(org_id))
        await page.keyboard.press("Enter")
        await loaded(page)
        await expect(notice).to_be_empty()
        await expect(rows(page)).to_have_count(1)


async def test_a_section_that_could_not_be_loaded_is_loaded_again_on_demand(
    site: Site, org_id: UUID
) -> None:
    async with site.visit(org_id, "/health") as visit:
        page = visit.page
        await page.route("**/api/wallet/transactions*", lambda route: route.abort(), times=1)
        await page.goto(f"{site.url}/wallet")
        section = page.locator("#transactions")
        await expect(section).to_contain_text("No answer came.")
        await shows_balance(page, "£5.00")
        visit.forgive("net::ERR_FAILED GET /api/wallet/transactions")
        await section.get_by_role("button", name="Try again").click()
        await expect(rows(page)).to_have_count(1)
