"""Stripe's test cards, by number and by the id of their payment method.

https://docs.stripe.com/testing
"""

from __future__ import annotations

from dataclasses import dataclass

DECLINED = "Your card was declined."


@dataclass(frozen=True)
class Decline:
    message: str
    code: str = "card_declined"
    decline_code: str | None = None
    advice_code: str | None = None


GENERIC = Decline(DECLINED, decline_code="generic_decline", advice_code="try_again_later")
INSUFFICIENT_FUNDS = Decline(
    "Your card has insufficient funds.",
    decline_code="insufficient_funds",
    advice_code="try_again_later",
)
LOST = Decline(DECLINED, decline_code="lost_card", advice_code="do_not_try_again")
STOLEN = Decline(DECLINED, decline_code="stolen_card", advice_code="do_not_try_again")
EXPIRED = Decline("Your card has expired.", "expired_card", "expired_card", "do_not_try_again")
INCORRECT_CVC = Decline(
    "Your card's security code is incorrect.",
    "incorrect_cvc",
    "incorrect_cvc",
    "confirm_card_data",
)
PROCESSING_ERROR = Decline(
    "An error occurred while processing your card. Try again in a little bit.",
    "processing_error",
    "processing_error",
    "try_again_later",
)
VELOCITY = Decline(
    "Your card was declined for making repeated attempts too frequently or exceeding its"
    " amount limit.",
    decline_code="card_velocity_exceeded",
    advice_code="try_again_later",
)
FRAUDULENT = Decline(DECLINED, decline_code="fraudulent", advice_code="do_not_try_again")
AUTHENTICATION_REQUIRED = Decline(
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
    "authentication_required",
)
AUTHENTICATION_FAILED = Decline(
    "We are unable to authenticate your payment method. Please choose a different payment"
    " method and try again.",
    "payment_intent_authentication_failure",
)

DECLINES = {
    decline.decline_code: decline
    for decline in (
        GENERIC,
        INSUFFICIENT_FUNDS,
        LOST,
        STOLEN,
        EXPIRED,
        INCORRECT_CVC,
        PROCESSING_ERROR,
        VELOCITY,
        FRAUDULENT,
        AUTHENTICATION_REQUIRED,
    )
}


@dataclass(frozen=True)
class Card:
    number: str
    brand: str = "visa"
    funding: str = "credit"
    decline: Decline | None = None
    # Such a card declines charges only; the others can't be attached to a customer either.
    attachable: bool = True
    # "always", or "unless set up": no more once it was set up for payments off session.
    authentication: str | None = None
    # What comes of a payment or of its refund afterwards.
    then: str | None = None

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(number: str, decline: Decline) -> Card:
    return Card(number, decline=decline, attachable=False)


CARDS = {
    "pm_card_visa": Card("4242424242424242"),
    "pm_card_visa_debit": Card("4000056655665556", funding="debit"),
    "pm_card_mastercard": Card("5555555555554444", "mastercard"),
    "pm_card_mastercard_debit": Card("5200828282828210", "mastercard", "debit"),
    "pm_card_mastercard_prepaid": Card("5105105105105100", "mastercard", "prepaid"),
    "pm_card_amex": Card("378282246310005", "amex"),
    "pm_card_discover": Card("6011111111111117", "discover"),
    "pm_card_gb": Card("4000008260000000"),
    # Declined
    "pm_card_visa_chargeDeclined": _declined("4000000000000002", GENERIC),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _declined(
        "4000000000009995", INSUFFICIENT_FUNDS
    ),
    "pm_card_visa_chargeDeclinedLostCard": _declined("4000000000009987", LOST),
    "pm_card_visa_chargeDeclinedStolenCard": _declined("4000000000009979", STOLEN),
    "pm_card_chargeDeclinedExpiredCard": _declined("4000000000000069", EXPIRED),
    "pm_card_chargeDeclinedIncorrectCvc": _declined("4000000000000127", INCORRECT_CVC),
    "pm_card_chargeDeclinedProcessingError": _declined("4000000000000119", PROCESSING_ERROR),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": _declined("4000000000006975", VELOCITY),
    "pm_card_radarBlock": _declined("4100000000000019", FRAUDULENT),
    "pm_card_chargeCustomerFail": Card("4000000000000341", decline=GENERIC),
    # Asking for authentication
    "pm_card_authenticationRequiredOnSetup": Card(
        "4000002500003155", authentication="unless set up"
    ),
    "pm_card_authenticationRequired": Card("4000002760003184", authentication="always"),
    "pm_card_authenticationRequiredSetupForOffSession": Card(
        "4000003800000446", authentication="unless set up"
    ),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "4000008260003178", authentication="unless set up", decline=INSUFFICIENT_FUNDS
    ),
    "pm_card_threeDSecure2Required": Card("4000000000003220", authentication="always"),
    # Disputed, suspected, refunded late or not at all
    "pm_card_createDispute": Card("4000000000000259", then="dispute"),
    "pm_card_createDisputeInquiry": Card("4000000000001976", then="inquiry"),
    "pm_card_createIssuerFraudRecord": Card("4000000000005423", then="early_fraud_warning"),
    "pm_card_pendingRefund": Card("4000000000007726", then="pending_refund"),
    "pm_card_refundFail": Card("4000000000005126", then="failing_refund"),
}
SET_UP_ALREADY = frozenset({"4000003800000446"})

# The shorter names of the same cards.
CARDS |= {
    name.replace("pm_card_visa_charge", "pm_card_charge"): card
    for name, card in CARDS.items()
    if name.startswith("pm_card_visa_charge")
}
CARDS |= {
    name.replace("pm_card_charge", "pm_card_visa_charge"): card
    for name, card in CARDS.items()
    if name.startswith("pm_card_charge")
}

BY_NUMBER = {card.number: card for card in CARDS.values()}


def find(number: str) -> Card | None:
    """By a number as people type it."""
    return BY_NUMBER.get("".join(number.split()).replace("-", ""))
