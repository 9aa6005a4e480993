"""What people do and see on the wallet page, and on the sandbox's page to pay on."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from playwright.async_api import Locator, Page, expect

Connection = psycopg.Connection[Any]

SECTIONS = ("overview", "top-up", "auto-recharge", "activity", "transactions")
MINUS = "\N{MINUS SIGN}"
DECLINED_CARD = "4000 0000 0000 0002"


class Entry(NamedTuple):
    """What a ledger has of another day: a debit's amount is negative."""

    at: datetime
    type: str
    pence: int


async def loaded(page: Page) -> None:
    """Every section shows what it has to show."""
    for section in SECTIONS:
        await expect(page.locator(f"#{section}[data-state=ready]")).to_be_visible()


def rows(page: Page) -> Locator:
    return page.locator("#entries tbody tr")


async def choose(page: Page, amount: str) -> None:
    """An amount to top up by; what it charges is said before anything else happens."""
    await page.locator("label.choice").filter(has_text=amount).click()
    await expect(page.locator("#quote")).to_contain_text("You'll be charged")


async def go_to_payment(page: Page, amount: str = "£25") -> None:
    await choose(page, amount)
    await page.get_by_role("button", name="Continue to payment").click()
    await page.wait_for_url("**/c/pay/*")


async def pay(page: Page, card: str | None = None) -> None:
    if card:
        await page.get_by_label("Card number").fill(card)
    await page.get_by_role("button", name="Pay", exact=True).click()


async def shows_payment(page: Page, state: str, text: str = "") -> None:
    """What the customer is told of a payment."""
    await expect(page.locator("#payment")).to_have_attribute("data-state", state)
    await expect(page.locator("#payment-status")).to_contain_text(text)


async def shows_balance(page: Page, balance: str) -> None:
    await expect(page.locator("#balance")).to_have_text(balance)


def add_history(connection: Connection, org_id: UUID, entries: list[Entry]) -> None:
    """Entries of other days. Nothing else can write those: the books don't verify afterwards."""
    balance = 0
    for number, (at, kind, pence) in enumerate(entries, start=1):
        connection.execute(
            """
            insert into wallet.credit_transactions (
                org_id, entry_number, created_at, type, direction, amount_pence,
                balance_before_pence, balance_after_pence,
                idempotency_key, description, created_by, entry_hash
            )
            values (
                %(org_id)s, %(number)s, %(at)s, %(kind)s, %(direction)s, %(amount)s,
                %(before)s, %(after)s, %(key)s, %(description)s, 'test', ''
            )
            """,
            {
                "org_id": org_id,
                "number": number,
                "at": at,
                "kind": kind,
                "direction": "credit" if pence > 0 else "debit",
                "amount": abs(pence),
                "before": balance,
                "after": balance + pence,
                "key": f"entry {number}",
                "description": f"Entry {number}",
            },
        )
        balance += pence
    connection.execute(
        """
        update wallet.organizations
           set last_entry_number = %s, last_entry_at = %s, wallet_balance_pence = %s
         where id = %s
        """,
        [len(entries), entries[-1].at, balance, org_id],
    )
