"""What the wallet page's modules say of amounts, payments and recharges, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest_asyncio
from playwright.async_api import Page

from .browsers import Site, in_browser
from .services import open_wallet
from .wallet_page import loaded

pytestmark = in_browser

MINUS = "\N{MINUS SIGN}"
TOPUP_ID = "2299e170-63a0-4207-b72c-d532c62f223c"
CHECKOUT_URL = "https://checkout.example.com/c/pay/cs_1"

PENDING = {
    "status": "pending",
    "under_way": False,
    "credited": False,
    "currency": "gbp",
    "amount_pence": 5000,
    "bonus_pence": 0,
    "balance_pence": 5000,
    "checkout_url": CHECKOUT_URL,
}
SETTINGS = {
    "obstacle": None,
    "blocked_because": None,
    "open_attempt": None,
    "amount_pence": 5000,
    "threshold_pence": 1000,
    "max_per_day": 5,
    "max_per_month": 50,
    "max_pence_per_day": 50000,
    "max_pence_per_month": 200000,
}


@pytest_asyncio.fixture(loop_scope="session")
async def page(site: Site, connect: Callable[..., psycopg.Connection[Any]]) -> AsyncIterator[Page]:
    async with site.visit(open_wallet(connect())) as visit:
        await loaded(visit.page)
        yield visit.page


async def in_modules(page: Page, body: str, given: Any) -> Any:
    """What this function body makes of `given`; `load("money")` gives what a module exports."""
    load = "(name) => import(new URL(`wallet/assets/${name}.js`, document.baseURI))"
    return await page.evaluate(f"async (given) => {{ const load = {load}; {body} }}", given)


async def test_amounts_are_written_in_the_currency_s_own_decimals(page: Page) -> None:
    cases = {
        ("gbp", 0): ["£0.00", "£0", "0.00", "£0.00 GBP"],
        ("gbp", 5): ["£0.05", "£0.05", "0.05", "£0.05 GBP"],
        ("gbp", 1975): ["£19.75", "£19.75", "19.75", "£19.75 GBP"],
        ("gbp", -500): [f"{MINUS}£5.00", f"{MINUS}£5", "-5.00", f"{MINUS}£5.00 GBP"],
        ("usd", 123456): ["$1,234.56", "$1,234.56", "1234.56", "$1,234.56 USD"],
        ("jpy", 5000): ["¥5,000", "¥5,000", "5000", "¥5,000 JPY"],
        ("kwd", 1234): ["KWD\u00a01.234", "KWD\u00a01.234", "1.234", "KWD\u00a01.234"],
        # The largest that JSON carries unharmed.
        ("gbp", 9007199254740991): [
            "£90,071,992,547,409.91",
            "£90,071,992,547,409.91",
            "90071992547409.91",
            "£90,071,992,547,409.91 GBP",
        ],
    }
    written = await in_modules(
        page,
        """
        const module = await load("money");
        return given.map(([currency, pence]) => {
          const money = new module.Money(currency);
          return ["format", "short", "plain", "coded"].map((name) => money[name](pence));
        });
        """,
        list(cases),
    )
    assert dict(zip(cases, written, strict=True)) == cases


async def test_the_server_s_decimals_come_before_the_browser_s(page: Page) -> None:
    written = await in_modules(
        page,
        """
        const module = await load("money");
        const money = new module.Money("isk", given);
        return [money.format(5000), money.plain(5000), money.parse("50.00")];
        """,
        2,
    )
    assert written == ["ISK\u00a050.00", "50.00", 5000]


async def test_typed_amounts_become_minor_units_exactly(page: Page) -> None:
    cases: dict[tuple[str, str], int | None] = {
        ("gbp", "19.75"): 1975,
        ("gbp", "19.7"): 1970,
        ("gbp", "0.29"): 29,
        ("gbp", "1.15"): 115,  # 1.15 * 100 is 114.99999999999999
        ("gbp", " £1,234.50 "): 123450,
        ("gbp", "19,75"): 1975,
        ("gbp", "1,234"): 123400,
        ("gbp", "0"): 0,
        ("gbp", "90071992547409.91"): 9007199254740991,
        ("gbp", "90071992547409.92"): None,
        ("gbp", "1.234"): None,
        ("gbp", "1,23,4"): None,
        ("gbp", ""): None,
        ("gbp", "-5"): None,
        ("gbp", "1e3"): None,
        ("gbp", "five"): None,
        ("gbp", "."): None,
        ("gbp", "5."): None,
        ("jpy", "5000"): 5000,
        ("jpy", "5,000"): 5000,
        ("jpy", "50.5"): None,
        ("jpy", "50,5"): None,
        ("kwd", "1.234"): 1234,
        ("kwd", "1.5"): 1500,
        ("kwd", "1,234"): None,
    }
    read = await in_modules(
        page,
        "const module = await load('money');"
        "return given.map(([currency, text]) => new module.Money(currency).parse(text));",
        list(cases),
    )
    assert dict(zip(cases, read, strict=True)) == cases


async def test_only_the_ledger_s_word_is_a_success(page: Page) -> None:
    """What is known of the top-up, whether it was cancelled, the seconds since: state and text."""
    waiting = "Waiting for the payment to be confirmed…"
    cases: list[tuple[dict[str, Any] | None, bool, int, str, str]] = [
        (None, False, 0, "waiting", waiting),
        (None, True, 0, "waiting", "Checking the payment…"),
        (None, False, 30, "slow", "This takes longer than usual."),
        ({}, False, 29, "waiting", waiting),
        ({}, False, 30, "slow", "Nothing is lost:"),
        # Stripe's word, without the ledger's.
        ({"status": "paid"}, False, 5, "waiting", waiting),
        ({"status": "paid"}, True, 5, "waiting", waiting),
        ({"under_way": True}, False, 0, "under-way", "Your bank is still working on this payment"),
        # Left here, and paid in another tab.
        ({"under_way": True}, True, 0, "under-way", "Your bank is still working on this payment"),
        ({}, True, 60, "left", "You left the payment page. Nothing was charged."),
        # A decline, after which they have paid with another card: that we haven't heard of.
        ({"status": "failed"}, False, 1, "waiting", waiting),
        ({"status": "failed"}, False, 31, "slow", "Nothing is lost:"),
        (
            {"status": "failed"},
            True,
            1,
            "failed",
            "The payment failed. You have not been charged.",
        ),
        ({"status": "expired"}, True, 1, "closed", "expired. You have not been charged."),
        ({"status": "canceled"}, False, 1, "closed", "cancelled. You have not been charged."),
        ({"credited": True}, True, 1, "credited", "£50.00 was added. Your balance is £50.00."),
        (
            {"credited": True, "bonus_pence": 500, "balance_pence": -20},
            False,
            40,
            "credited",
            f"£55.00 was added, £5.00 of it a bonus. Your balance is {MINUS}£0.20.",
        ),
    ]
    told = await in_modules(
        page,
        """
        const module = await load("payment_words");
        const { Money } = await load("money");
        const money = new Money("gbp");
        return given.cases.map(([topup, cancelled, seconds]) => module.describePayment(
          topup, { topupId: given.topupId, cancelled, waitedMs: seconds * 1000, money },
        ));
        """,
        {
            "topupId": TOPUP_ID,
            "cases": [
                (None if topup is None else PENDING | topup, cancelled, seconds)
                for topup, cancelled, seconds, *_ in cases
            ],
        },
    )
    for (topup, _, _, state, text), words in zip(cases, told, strict=True):
        assert words["state"] == state, topup
        assert text in words["text"]
        assert words.get("final", False) == (state in ("credited", "closed"))
        assert (TOPUP_ID in words.get("detail", "")) == (state == "slow")
        if state in ("left", "failed"):
            assert words["again"] == CHECKOUT_URL


async def test_a_payment_that_failed_for_good_is_not_waited_for(page: Page) -> None:
    failed = PENDING | {"status": "failed", "checkout_url": None}
    words = await in_modules(
        page,
        "const module = await load('payment_words');"
        "return module.describePayment(given, { waitedMs: 0 });",
        failed,
    )
    assert (words["final"], words["again"]) == (True, "form")


async def test_a_recharge_says_what_is_in_its_way(page: Page) -> None:
    attempt = {"state": "unknown", "amount_pence": 2500}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "Your balance is low: a recharge starts with the next charge."),
        ({"obstacle": "off"}, "Your card is not charged without you."),
        ({"obstacle": "no_payment_method"}, "It can't start yet: no card is saved."),
        (
            {"obstacle": "payment_method_blocked", "blocked_because": "the card was declined"},
            "It is paused: the card was declined. Top up once with another card to use that one.",
        ),
        (
            {"obstacle": "balance_sufficient"},
            "It is ready: £50.00 is added when the balance falls below £10.00.",
        ),
        (
            {"obstacle": "max_per_day"},
            "It is paused: no more than 5 recharges a day are made.",
        ),
        (
            {"obstacle": "max_pence_per_month"},
            "It is paused: no more than £2,000.00 in 30 days is charged.",
        ),
        (
            {"obstacle": "attempt_open", "open_attempt": attempt},
            "A recharge of £25.00 is under way, and its result isn't known yet.",
        ),
        (
            {"obstacle": "off", "open_attempt": attempt},
            "A recharge of £25.00 is under way, and its result isn't known yet."
            " Your card is not charged without you.",
        ),
    ]
    told = await in_modules(
        page,
        """
        const module = await load("recharge_words");
        const { Money } = await load("money");
        return given.map((settings) => module.sayState(settings, new Money("gbp")));
        """,
        [SETTINGS | changes for changes, _ in cases],
    )
    assert told == [text for _, text in cases]


async def test_an_approval_is_asked_for_only_while_the_balance_is_low(page: Page) -> None:
    attempt = {"state": "requires_action", "amount_pence": 5000}
    said = await in_modules(
        page,
        """
        const { sayState, wantsApproval } = await load("recharge_words");
        const { Money } = await load("money");
        const money = new Money("gbp");
        return [true, false].map((low) => [sayState(given, money, low), wantsApproval(given, low)]);
        """,
        SETTINGS | {"obstacle": "attempt_open", "open_attempt": attempt},
    )
    assert said == [
        ["Your bank wants you to approve this payment.", True],
        [
            "A recharge of £50.00 was not approved at your bank."
            " It isn't needed any more, and lapses by itself.",
            False,
        ],
    ]


async def test_a_saved_card_is_named_by_what_its_owner_knows_of_it(page: Page) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"has_payment_method": False, "payment_method": None},
            "No card is saved. Top up once by card, and it is saved for auto-recharge.",
        ),
        (
            {
                "has_payment_method": True,
                "payment_method": {
                    "brand": "visa",
                    "last4": "4242",
                    "exp_month": 4,
                    "exp_year": 2030,
                },
            },
            "Visa ending 4242, expires 04/2030",
        ),
        (
            {
                "has_payment_method": True,
                "payment_method": {
                    "brand": "amex",
                    "last4": "0005",
                    "exp_month": None,
                    "exp_year": None,
                },
            },
            "American Express ending 0005",
        ),
        ({"has_payment_method": True, "payment_method": None}, "A card is saved."),
    ]
    told = await in_modules(
        page,
        "const module = await load('recharge_words');return given.map(module.sayCard);",
        [card for card, _ in cases],
    )
    assert told == [text for _, text in cases]
