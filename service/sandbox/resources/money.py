"""Amounts and currencies that Stripe takes.

https://docs.stripe.com/currencies
"""

from __future__ import annotations

from ..errors import StripeError

_CURRENCIES = (
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd bob brl bsd bwp byn"
    " bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd"
    " gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jpy kes kgs khr kmf krw kyd kzt lak lbp lkr"
    " lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen"
    " pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs"
    " top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw"
)
_ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf"
CURRENCIES = frozenset(_CURRENCIES.split())
ZERO_DECIMAL = frozenset(_ZERO_DECIMAL.split())
MINIMUM = {"gbp": 30, "eur": 50, "usd": 50}
OTHER_MINIMUM = 50
MAXIMUM = 99_999_999
SYMBOLS = {"gbp": "£", "eur": "€", "usd": "$"}


def check_currency(currency: str, param: str = "currency") -> str:
    """In lower case, as Stripe returns it."""
    if currency.lower() not in CURRENCIES:
        raise StripeError(
            f"Invalid currency: {currency.lower()}. Stripe currently supports these currencies:"
            f" {', '.join(sorted(CURRENCIES))}",
            param=param,
        )
    return currency.lower()


def check_amount(amount: int, currency: str, param: str = "amount") -> int:
    minimum = MINIMUM.get(currency, OTHER_MINIMUM)
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=param,
        )
    if amount < minimum:
        raise StripeError(
            f"Amount must be at least {shown(minimum, currency)} {currency}",
            code="amount_too_small",
            param=param,
        )
    if amount > MAXIMUM:
        raise StripeError(
            f"Amount must be no more than {shown(MAXIMUM, currency)} {currency}",
            code="amount_too_large",
            param=param,
        )
    return amount


def shown(amount: int, currency: str) -> str:
    symbol = SYMBOLS.get(currency, "")
    if currency in ZERO_DECIMAL:
        return f"{symbol}{amount:,}"
    return f"{symbol}{amount // 100:,}.{amount % 100:02}"
