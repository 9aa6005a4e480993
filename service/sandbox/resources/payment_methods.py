"""https://docs.stripe.com/api/payment_methods"""

from __future__ import annotations

from .. import cards, events
from ..call import Call
from ..cards import Card
from ..errors import CardError, StripeError
from ..events import StripeObject
from ..forms import one_of, text
from .lists import LIST, page

KIND = "payment_method"
ATTACH = {"customer": text}
LIST_OF_CUSTOMER = LIST | {"customer": text, "type": one_of("card", "bacs_debit")}


def retrieve(call: Call, payment_method_id: str) -> StripeObject:
    return find_or_make(call, payment_method_id, "id")


def attach(call: Call, payment_method_id: str) -> StripeObject:
    call.require("customer")
    customer = call.find("customer", call.params["customer"], "customer")
    payment_method = find_or_make(call, payment_method_id, "id")
    if payment_method["customer"]:
        raise StripeError(
            "The payment method you provided has already been attached to a customer."
        )
    card = card_of(call, payment_method)
    if card and card.decline and not card.attachable:
        raise CardError(
            card.decline.message,
            code=card.decline.code,
            decline_code=card.decline.decline_code,
        )
    return attach_to(call, payment_method, customer["id"])


def attach_to(call: Call, payment_method: StripeObject, customer_id: str) -> StripeObject:
    call.change(payment_method, customer=customer_id)
    call.announce("payment_method.attached", payment_method)
    return payment_method


def detach(call: Call, payment_method_id: str) -> StripeObject:
    payment_method = call.find(KIND, payment_method_id)
    customer_id = payment_method["customer"]
    if customer_id is None:
        raise StripeError(
            "The payment method you provided is not attached to a customer so detachment is"
            " impossible."
        )
    call.change(payment_method, customer=None)
    # Never to be used again.
    call.store.set_private(payment_method["id"], detached=True)
    call.announce("payment_method.detached", payment_method, {"customer": customer_id})
    return payment_method


def list_of_customer(call: Call, customer_id: str | None = None) -> StripeObject:
    customer_id = customer_id or call.params.get("customer")
    if customer_id:
        call.find("customer", customer_id, "customer")
    filters = {"customer": customer_id, "type": call.params.get("type")}
    return page(
        call, KIND, "/v1/payment_methods", filters, "json_extract(body, '$.customer') is not null"
    )


def retrieve_of_customer(call: Call, customer_id: str, payment_method_id: str) -> StripeObject:
    call.find("customer", customer_id)
    payment_method = call.find(KIND, payment_method_id)
    if payment_method["customer"] != customer_id:
        raise not_of_customer(payment_method_id)
    return payment_method


def find_or_make(call: Call, payment_method_id: str, param: str) -> StripeObject:
    """The payment method; each use of one of Stripe's test ids makes a new one."""
    if payment_method_id in cards.CARDS:
        return make(call, cards.CARDS[payment_method_id])
    return call.find(KIND, payment_method_id, param)


def make(call: Call, card: Card) -> StripeObject:
    payment_method = events.card_payment_method(
        brand=card.brand, last4=card.last4, funding=card.funding, created=call.now
    )
    return call.add(payment_method, {"card": card.number})


def make_bank_debit(call: Call) -> StripeObject:
    return call.add(events.bacs_debit_payment_method(created=call.now))


def card_of(call: Call, payment_method: StripeObject) -> Card | None:
    return cards.find(call.store.private(payment_method["id"]).get("card", ""))


def not_of_customer(payment_method_id: str) -> StripeError:
    return StripeError(
        f"The customer does not have a payment method with the ID {payment_method_id}. The"
        " payment method must be attached to the customer.",
        code="resource_missing",
        param="payment_method",
    )


def usable(
    call: Call, payment_method_id: str, customer_id: str | None, *, off_session: bool
) -> StripeObject:
    """The payment method, for a payment of this customer."""
    payment_method = find_or_make(call, payment_method_id, "payment_method")
    owner = payment_method["customer"]
    if owner and not customer_id:
        raise StripeError(
            f"The PaymentMethod {payment_method['id']} belongs to the Customer {owner}. Please"
            " include the Customer in the `customer` parameter on the PaymentIntent.",
            param="payment_method",
        )
    if owner and owner != customer_id:
        raise not_of_customer(payment_method_id)
    used_up = call.store.private(payment_method["id"]).get("detached")
    if used_up or (off_session and not owner and payment_method_id not in cards.CARDS):
        raise StripeError(
            "The provided PaymentMethod was previously used with a PaymentIntent without"
            " Customer attachment, shared with a connected account without Customer attachment,"
            " or was detached from a Customer. It may not be used again. To use a PaymentMethod"
            " multiple times, you must attach it to a Customer first.",
            param="payment_method",
        )
    return payment_method
