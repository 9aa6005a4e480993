"""https://docs.stripe.com/api/disputes"""

from __future__ import annotations

from .. import events
from ..call import Call
from ..errors import StripeError
from ..events import StripeObject
from ..forms import text
from .lists import LIST, page

KIND = "dispute"
LIST_DISPUTES = LIST | {"charge": text, "payment_intent": text}
FEE = 2000
CLOSED = ("won", "lost", "warning_closed")


def retrieve(call: Call, dispute_id: str) -> StripeObject:
    return call.find(KIND, dispute_id)


def list_disputes(call: Call) -> StripeObject:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(call, KIND, "/v1/disputes", filters)


def accept(call: Call, dispute_id: str) -> StripeObject:
    """Closing a dispute oneself is losing it."""
    return close(call, call.find(KIND, dispute_id), "lost")


def open_dispute(
    call: Call,
    charge: StripeObject,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
    withdraw: bool = True,
) -> StripeObject:
    """A dispute takes the money at once; an inquiry, which doesn't `withdraw`, not yet."""
    disputed = charge["amount"] if amount is None else amount
    if not 1 <= disputed <= charge["amount"]:
        raise StripeError("A dispute can't exceed its charge.", param="amount")
    dispute = call.add(
        {
            **events.dispute(
                disputed,
                payment_intent_id=charge["payment_intent"],
                charge_id=charge["id"],
                currency=charge["currency"],
                status="needs_response" if withdraw else "warning_needs_response",
            ),
            "created": call.now,
            "reason": reason,
        }
    )
    call.change(charge, disputed=True)
    call.announce("charge.dispute.created", dispute)
    return withdraw_funds(call, dispute) if withdraw else dispute


def withdraw_funds(call: Call, dispute: StripeObject) -> StripeObject:
    return _move_funds(call, dispute, "withdrawn", -dispute["amount"])


def reinstate_funds(call: Call, dispute: StripeObject) -> StripeObject:
    return _move_funds(call, dispute, "reinstated", dispute["amount"])


def _move_funds(call: Call, dispute: StripeObject, verb: str, amount: int) -> StripeObject:
    transactions = dispute["balance_transactions"]
    if bool(transactions) != (verb == "reinstated") or len(transactions) > 1:
        raise StripeError(f"The funds of this dispute can't be {verb} now.")
    transaction = {
        "id": events.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "created": call.now,
        "currency": dispute["currency"],
        "fee": FEE if amount < 0 else 0,
        "net": amount - (FEE if amount < 0 else 0),
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute["id"],
        "type": "adjustment",
    }
    call.change(dispute, balance_transactions=[*transactions, transaction])
    call.announce(f"charge.dispute.funds_{verb}", dispute, {"balance_transactions": transactions})
    return dispute


def close(call: Call, dispute: StripeObject, status: str) -> StripeObject:
    """One that is won gives the money back first."""
    if dispute["status"] in CLOSED:
        raise StripeError("This dispute is already closed.")
    before = dispute["status"]
    if status == "won" and len(dispute["balance_transactions"]) == 1:
        reinstate_funds(call, dispute)
    call.change(dispute, status=status)
    call.announce("charge.dispute.closed", dispute, {"status": before})
    return dispute
