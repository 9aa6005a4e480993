"""What the wallet page shows of a wallet: figures, charts, transactions, and their export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.async_api import Page, expect

from .browsers import Site, in_browser
from .docs import call
from .services import open_wallet
from .wallet_page import MINUS, Entry, add_history, loaded, rows, shows_balance

pytestmark = in_browser

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


async def test_a_wallet_without_anything_shows_zeros_and_never_a_dash(
    site: Site, connection: Connection
) -> None:
    async with site.visit(open_wallet(connection)) as visit:
        page = visit.page
        await loaded(page)
        for name, shown in (
            ("balance", "£0.00"),
            ("available", "£0.00"),
            ("card-topups", "£0.00"),
            ("card-spent", "£0.00"),
            ("card-calls", "0"),
            ("card-recharge", "Off"),
        ):
            await expect(page.locator(f"#{name}")).to_have_text(shown)
        await expect(page.locator("#entries-empty")).to_have_text("No transactions yet.")
        await expect(page.locator("#spending-chart")).to_contain_text("Nothing was spent")
        await expect(page.locator("#entries")).to_be_hidden()
        await expect(page.locator("#load-more")).to_be_hidden()


async def test_figures_and_transactions_of_a_wallet_in_use(
    site: Site, connection: Connection
) -> None:
    org_id = open_wallet(connection, balance_pence=1_234_50)
    for number, pence in enumerate((85, 1_20), start=1):
        connection.execute(
            "select wallet.deduct_call_credits(%s, %s, null, 1, 0, %s)",
            [org_id, f"call-{number}", pence],
        )
    connection.execute("select wallet.reserve_call_credits(%s, 'call-3', null)", [org_id])
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        await shows_balance(page, "£1,232.45")
        await expect(page.locator("#card-spent")).to_have_text("£2.05")
        await expect(page.locator("#card-calls")).to_have_text("2")
        await expect(page.locator("#balance-reason")).to_contain_text("is held for calls")
        await expect(page.locator("#available")).not_to_have_text("£1,232.45")

        await expect(rows(page)).to_have_count(3)
        amounts = page.locator("#entries .amount")
        await expect(amounts).to_have_text([f"{MINUS}£1.20", f"{MINUS}£0.85", "+£1,234.50"])
        await expect(rows(page).first).to_contain_text("£1,232.45")
        # An icon and a label; the colour is of the page's own style sheet.
        for kind, label in (("call_deduction", "Call"), ("bonus", "Bonus")):
            row = page.locator(f"#entries tr[data-type={kind}]").first
            await expect(row.get_by_role("cell", name=label, exact=True)).to_be_visible()
            await expect(row.locator("svg")).to_be_visible()

        chart = page.locator("#spending-chart")
        await expect(chart.get_by_role("img")).to_have_attribute(
            "aria-label", re.compile(r"£2\.05")
        )
        await chart.get_by_role("button", name="Show spending as table").click()
        await expect(page.locator("#spending-table")).to_contain_text("£2.05")
        balances = page.locator("#balance-chart").get_by_role("img")
        await expect(balances).to_have_attribute("aria-label", re.compile(r"£1,232\.45"))


async def test_debt_is_said_in_words_and_with_a_sign(site: Site, connection: Connection) -> None:
    org_id = open_wallet(connection, balance_pence=1_00)
    connection.execute("select wallet.deduct_call_credits(%s, 'call-1', null, 1, 0, 450)", [org_id])
    async with site.visit(org_id) as visit:
        await shows_balance(visit.page, f"{MINUS}£3.50")
        notice = visit.page.locator("#balance-notice[data-kind=debt]")
        await expect(notice).to_contain_text("Your balance is below zero")


async def test_earlier_transactions_come_page_by_page(site: Site, connection: Connection) -> None:
    org_id = open_wallet(connection, balance_pence=100_00)
    connection.execute(
        """
        select wallet.deduct_call_credits(%s, 'call-' || n, null, 1, 0, n)
          from generate_series(1, 64) as n
        """,
        [org_id],
    )
    async with site.visit(org_id) as visit:
        page = visit.page
        more = page.get_by_role("button", name="Load earlier")
        for count in (25, 50, 65):
            await expect(rows(page)).to_have_count(count)
            await expect(page.locator("#entries-status")).to_contain_text(f"Showing {count} tr")
            if count < 65:
                await more.click()
        await expect(more).to_be_hidden()
        shown = await page.locator("#entries tbody tr").evaluate_all(
            "rows => rows.map((row) => Number(row.dataset.entry))"
        )
        assert shown == list(range(65, 0, -1))


@pytest.mark.broken_books
async def test_filters_by_type_and_day(site: Site, connection: Connection) -> None:
    org_id = open_wallet(connection)
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    add_history(
        connection,
        org_id,
        [
            Entry(today - timedelta(days=20), "topup", 50_00),
            Entry(today - timedelta(days=20), "call_deduction", -1_00),
            Entry(today - timedelta(days=9), "call_deduction", -2_00),
            Entry(today - timedelta(days=9), "sms_deduction", -4),
            Entry(today - timedelta(days=8), "call_deduction", -3_00),
        ],
    )
    async with site.visit(org_id) as visit:
        page = visit.page
        await shows_entries(page, 5, 4, 3, 2, 1)
        await page.locator("#filters summary").click()
        await page.locator("#filters label.chip").filter(has_text="Call").click()
        await shows_entries(page, 5, 3, 2)
        await page.locator("#filters label.chip").filter(has_text="Message").click()
        await shows_entries(page, 5, 4, 3, 2)
        # The last day is meant as well.
        await fill_day(page, "From", today - timedelta(days=9))
        await shows_entries(page, 5, 4, 3)
        await fill_day(page, "To", today - timedelta(days=9))
        await shows_entries(page, 4, 3)
        await expect(page.locator("#filters summary")).to_contain_text("(4)")
        assert [row["number"] for row in await exported(page)] == ["4", "3"]

        await fill_day(page, "To", today - timedelta(days=30))
        await expect(page.locator("#filter-error")).to_be_visible()
        await page.get_by_role("button", name="Clear filters").click()
        await shows_entries(page, 5, 4, 3, 2, 1)

        await page.locator("#filters label.chip").filter(has_text="Refund").click()
        await expect(page.locator("#entries-empty")).to_have_text(
            "No transactions match these filters."
        )
        assert await exported(page) == []


@pytest.mark.broken_books
async def test_the_charts_show_the_period_that_was_chosen(
    site: Site, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    now = datetime.now(UTC)
    add_history(
        connection,
        org_id,
        [
            Entry(now - timedelta(days=60), "topup", 90_00),
            Entry(now - timedelta(days=50), "call_deduction", -7_00),
            Entry(now - timedelta(days=3), "sms_deduction", -1_00),
        ],
    )
    async with site.visit(org_id) as visit:
        page = visit.page
        spending = page.locator("#spending-chart")
        await loaded(page)
        await expect(spending.locator(".legend")).to_have_text(re.compile("^Message"))
        await page.locator("#periods label").filter(has_text="90 days").click()
        await expect(spending.locator(".legend li")).to_have_count(2)
        await spending.get_by_role("button", name="Show spending as table").click()
        await expect(page.locator("#spending-table")).to_contain_text("£7.00")
        await page.locator("#periods label").filter(has_text="7 days").click()
        await expect(page.locator("#spending-table")).not_to_contain_text("£7.00")


async def test_the_export_is_the_ledger(site: Site, connection: Connection, tmp_path: Path) -> None:
    org_id = open_wallet(connection, balance_pence=20_00)
    connection.execute(
        """
        select wallet.deduct_call_credits(
            %s, 'call-' || n, null, 1, 0, n, p_description => 'Call "' || n || '", =1+1'
        ) from generate_series(1, 30) as n
        """,
        [org_id],
    )
    ledger = connection.execute(
        """
        select entry_number, type, direction, amount_pence, balance_after_pence
          from wallet.credit_transactions where org_id = %s order by entry_number desc
        """,
        [org_id],
    ).fetchall()
    async with site.visit(org_id) as visit:
        page = visit.page
        await loaded(page)
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Export CSV").click()
        file = await download.value
        assert file.suggested_filename.endswith(".csv")
        await file.save_as(tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open(encoding="utf-8-sig", newline="") as lines:
        found = list(csv.DictReader(lines))
    assert len(found) == 31
    for row, (number, kind, direction, amount, after) in zip(found, ledger, strict=True):
        assert (int(row["number"]), row["type"]) == (number, kind)
        assert pence(row["amount"]) == (amount if direction == "credit" else -amount)
        assert pence(row["balance"]) == after
        assert row["currency"].lower() == "gbp"


async def test_two_organizations_see_their_own_wallets_only(
    site: Site, connection: Connection
) -> None:
    one, other = open_wallet(connection, balance_pence=1_11), open_wallet(connection)
    gift = {"p_description": "A gift", "p_idempotency_key": "gift"}
    call(connection, "add_wallet_credits", other, 2_22, "bonus", **gift)
    async with site.visit(one) as ours, site.visit(other) as theirs:
        await shows_balance(ours.page, "£1.11")
        await shows_balance(theirs.page, "£2.22")
        await loaded(ours.page)
        assert "A gift" not in await ours.page.inner_text("body")
        await expect(rows(theirs.page)).to_contain_text(["A gift"])

        call(connection, "attach_stripe_customer", other, "cus_other")
        theirs_too = {"p_return_url": "https://shop.example"}
        topup_id = call(connection, "begin_topup", other, 25_00, **theirs_too)["topup_id"]
        await ours.page.goto(f"{site.url}/wallet?topup_id={topup_id}&checkout=success")
        await expect(ours.page.locator("#payment[data-state=unknown]")).to_contain_text(
            "isn't known in this wallet"
        )
        ours.forgive(f"404 GET /api/wallet/topups/{topup_id}*")


async def shows_entries(page: Page, *numbers: int) -> None:
    await expect(rows(page)).to_have_count(len(numbers))
    for row, number in zip(await rows(page).all(), numbers, strict=True):
        await expect(row).to_have_attribute("data-entry", str(number))


async def exported(page: Page) -> list[dict[str, str]]:
    """The rows of the file behind the link."""
    response = await page.request.get(await page.locator("#export").evaluate("link => link.href"))
    text = (await response.body()).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def fill_day(page: Page, field: str, at: datetime) -> None:
    await page.get_by_role("textbox", name=field, exact=True).fill(at.date().isoformat())


def pence(amount: str) -> int:
    return round(float(amount) * 100)
