"""https://docs.stripe.com/api/refunds"""

from __future__ import annotations

from .. import cards, events
from ..call import Call, merged
from ..errors import StripeError
from ..events import StripeObject
from ..forms import integer, metadata, one_of, text
from .lists import LIST, page
from .money import shown

KIND = "refund"
CREATE = {
    "charge": text,
    "payment_intent": text,
    "amount": integer,
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
    "metadata": metadata,
}
FAILURE = ("failure_balance_transaction", "failure_reason")
LIST_REFUNDS = LIST | {"charge": text, "payment_intent": text}


def create(call: Call) -> StripeObject:
    charge = _charge(call)
    left = charge["amount"] - charge["amount_refunded"]
    if not left:
        raise StripeError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = call.params.get("amount", left)
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount > left:
        currency = charge["currency"]
        raise StripeError(
            f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on"
            f" charge ({shown(left, currency)})",
            param="amount",
        )
    return _add(call, charge, amount)


def retrieve(call: Call, refund_id: str) -> StripeObject:
    return call.find(KIND, refund_id)


def list_refunds(call: Call) -> StripeObject:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(call, KIND, "/v1/refunds", filters)


def _charge(call: Call) -> StripeObject:
    if call.params.get("charge"):
        charge = call.find("charge", call.params["charge"], "charge")
    else:
        call.require("payment_intent")
        intent_id = call.params["payment_intent"]
        intent = call.find("payment_intent", intent_id, "payment_intent")
        if intent["status"] != "succeeded":
            raise StripeError(
                f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = call.find("charge", intent["latest_charge"], "charge")
    if charge["status"] != "succeeded":
        raise StripeError(
            f"Charge {charge['id']} was not successful and cannot be refunded.", param="charge"
        )
    if charge["disputed"] and _charged_back(call, charge):
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    return charge


def _charged_back(call: Call, charge: StripeObject) -> bool:
    condition = "json_extract(body, '$.charge') = ?"
    found = call.store.select("dispute", condition, [charge["id"]])
    return any(each["status"] in ("needs_response", "under_review", "lost") for each in found)


def _add(call: Call, charge: StripeObject, amount: int) -> StripeObject:
    card = cards.find(call.store.private(charge["payment_method"]).get("card", ""))
    pending = card is not None and card.then == "pending_refund"
    refund = call.add(
        {
            **events.refund(
                amount,
                payment_intent_id=charge["payment_intent"],
                charge_id=charge["id"],
                currency=charge["currency"],
                status="pending" if pending else "succeeded",
            ),
            "created": call.now,
            "metadata": merged({}, call.params.get("metadata", {})),
            "reason": call.params.get("reason"),
        }
    )
    call.announce("refund.created", refund)
    _change_refunded(call, charge, amount)
    return refund


def _change_refunded(call: Call, charge: StripeObject, by: int) -> None:
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    refunded = charge["amount_refunded"] + by
    call.change(charge, amount_refunded=refunded, refunded=refunded == charge["amount"])
    call.announce("charge.refunded" if by > 0 else "charge.updated", charge, before)


def succeed(call: Call, refund: StripeObject) -> StripeObject:
    """A pending refund has arrived."""
    if refund["status"] != "pending":
        raise StripeError(f"This refund is {refund['status']}.")
    call.change(refund, status="succeeded")
    call.announce("refund.updated", refund, {"status": "pending"})
    return refund


def fail(call: Call, refund: StripeObject, *, status: str = "failed") -> StripeObject:
    """The customer's bank sends the money back, which can be days later; or it is canceled.

    https://docs.stripe.com/refunds#failed-refunds
    """
    before = {name: refund.get(name) for name in ("status", *FAILURE)}
    if before["status"] not in ("pending", "succeeded"):
        raise StripeError(f"This refund is {before['status']}.")
    call.change(refund, status=status)
    if status == "failed":
        call.change(
            refund,
            failure_balance_transaction=events.new_id("txn"),
            failure_reason="expired_or_canceled_card",
        )
    call.announce("refund.updated", refund, before)
    if status == "failed":
        call.announce("refund.failed", refund)
    _change_refunded(call, call.find("charge", refund["charge"]), -refund["amount"])
    return refund
