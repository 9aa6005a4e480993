"""https://docs.stripe.com/api/checkout/sessions, and what happens on the hosted page."""

from __future__ import annotations

from typing import Any

from .. import events
from ..call import Call, merged
from ..cards import Card
from ..errors import StripeError
from ..events import StripeObject
from ..forms import boolean, integer, metadata, one_of, text, url
from . import payment_intents, payment_methods
from .lists import LIST, page
from .money import check_amount, check_currency

KIND = "checkout.session"

CREATE = {
    "mode": one_of("payment"),
    "adaptive_pricing": {"enabled": boolean},
    "ui_mode": one_of("hosted_page"),
    "success_url": url,
    "cancel_url": url,
    "client_reference_id": text,
    "customer": text,
    "customer_email": text,
    "customer_creation": one_of("always", "if_required"),
    "expires_at": integer,
    "invoice_creation": {
        "enabled": boolean,
        "invoice_data": {"description": text, "footer": text, "metadata": metadata},
    },
    "line_items": [
        {
            "price_data": {
                "currency": text,
                "unit_amount": integer,
                "product_data": {"name": text, "description": text, "metadata": metadata},
                "tax_behavior": one_of("inclusive", "exclusive", "unspecified"),
            },
            "quantity": integer,
        }
    ],
    "locale": text,
    "metadata": metadata,
    "payment_intent_data": {
        "description": text,
        "metadata": metadata,
        "receipt_email": text,
        "setup_future_usage": payment_intents.SETUP_FUTURE_USAGE,
        "statement_descriptor": text,
        "statement_descriptor_suffix": text,
    },
    "payment_method_types": [one_of("card", "bacs_debit")],
    "submit_type": one_of("auto", "book", "donate", "pay"),
}
LIST_SESSIONS = LIST | {
    "customer": text,
    "payment_intent": text,
    "status": one_of("open", "complete", "expired"),
}

SHORTEST_SECONDS = 30 * 60
LONGEST_SECONDS = 24 * 3600


def create(call: Call) -> StripeObject:
    call.require("mode", "success_url", "line_items")
    params = call.params
    if params.get("customer"):
        call.find("customer", params["customer"], "customer")
        if params.get("customer_email"):
            raise StripeError(
                "You may only specify one of these parameters: customer, customer_email."
            )
    currency, amount, description = _total(params["line_items"])
    session_id = events.new_id("cs_test", 58)
    session = {
        **events.checkout_session("", amount, session_id=session_id, currency=currency),
        "adaptive_pricing": params.get("adaptive_pricing", {"enabled": False}),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": call.now,
        "customer": params.get("customer"),
        "customer_creation": (
            None if params.get("customer") else params.get("customer_creation", "if_required")
        ),
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "expires_at": _expiry(call),
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {"metadata": {}},
            **params.get("invoice_creation", {}),
        },
        "locale": params.get("locale"),
        "metadata": merged({}, params.get("metadata", {})),
        # It comes with the first attempt to pay.
        "payment_intent": None,
        "payment_method_types": params.get("payment_method_types", ["card", "bacs_debit"]),
        "payment_status": "unpaid",
        "status": "open",
        "submit_type": params.get("submit_type"),
        "success_url": params["success_url"],
        "ui_mode": "hosted_page",
        "url": f"{call.url}/c/pay/{session_id}",
    }
    return call.add(
        session,
        {"description": description, "payment_intent_data": params.get("payment_intent_data", {})},
    )


def retrieve(call: Call, session_id: str) -> StripeObject:
    return call.find(KIND, session_id)


def list_sessions(call: Call) -> StripeObject:
    filters = {name: call.params.get(name) for name in ("customer", "payment_intent", "status")}
    return page(call, KIND, "/v1/checkout/sessions", filters)


def expire(call: Call, session_id: str) -> StripeObject:
    session = call.find(KIND, session_id)
    if session["status"] != "open":
        raise StripeError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of `{session['status']}`."
        )
    return _expire(call, session)


def expire_due(call: Call) -> None:
    """Those whose time is over."""
    condition = (
        "json_extract(body, '$.status') = 'open' and json_extract(body, '$.expires_at') <= ?"
    )
    for session in call.store.select(KIND, condition, [call.now]):
        _expire(call, session)


def _expire(call: Call, session: StripeObject) -> StripeObject:
    if session["payment_intent"]:
        intent = call.find(payment_intents.KIND, session["payment_intent"])
        payment_intents.close(call, intent, None)
    call.change(session, status="expired", url=None)
    call.announce("checkout.session.expired", session)
    return session


# On the hosted page


def pay(call: Call, session: StripeObject, card: Card) -> StripeObject:
    """Pay by card: the session completed, or still open where the bank wants an answer."""
    return _attempt(call, session, payment_methods.make(call, card))


def pay_by_bank_debit(call: Call, session: StripeObject) -> StripeObject:
    """The session is completed, but its money comes days later, if it comes."""
    return _attempt(call, session, payment_methods.make_bank_debit(call))


def authenticate(call: Call, session: StripeObject, *, passed: bool) -> StripeObject:
    intent = call.find(payment_intents.KIND, session["payment_intent"])
    payment_intents.finish_authentication(call, intent, passed=passed)
    return _complete(call, session, intent)


def settle(call: Call, session: StripeObject, *, succeeded: bool) -> StripeObject:
    """The bank debit of a completed session arrives, or fails."""
    intent = call.find(payment_intents.KIND, session["payment_intent"] or "")
    payment_intents.settle(call, intent, succeeded=succeeded)
    if succeeded:
        call.change(session, payment_status="paid")
        call.announce("checkout.session.async_payment_succeeded", session)
        _add_invoice(call, session)
    else:
        call.announce("checkout.session.async_payment_failed", session)
    return session


def _attempt(call: Call, session: StripeObject, payment_method: StripeObject) -> StripeObject:
    if session["status"] != "open":
        raise StripeError(f"This Checkout Session is {session['status']}.")
    intent = _intent(call, session)
    payment_intents.attempt(call, intent, payment_method)
    return session if intent["status"] == "requires_action" else _complete(call, session, intent)


def _intent(call: Call, session: StripeObject) -> StripeObject:
    """The payment intent of the session, made at the first attempt."""
    if session["payment_intent"]:
        return call.find(payment_intents.KIND, session["payment_intent"])
    data = call.store.private(session["id"])["payment_intent_data"]
    if session["customer"] is None and _needs_customer(session, data):
        email = session["customer_email"] or "customer@example.com"
        customer = call.add(events.customer(created=call.now, email=email))
        call.announce("customer.created", customer)
        session["customer"] = customer["id"]
    intent = payment_intents.add(
        call,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=session["customer"],
        description=data.get("description"),
        # The session's own metadata stay on the session.
        metadata=merged({}, data.get("metadata", {})),
        payment_method=None,
        payment_method_types=session["payment_method_types"],
        receipt_email=data.get("receipt_email"),
        setup_future_usage=data.get("setup_future_usage"),
        statement_descriptor=data.get("statement_descriptor"),
        statement_descriptor_suffix=data.get("statement_descriptor_suffix"),
        status="requires_payment_method",
    )
    call.change(session, payment_intent=intent["id"])
    return intent


def _needs_customer(session: StripeObject, data: dict[str, Any]) -> bool:
    return bool(
        session["customer_creation"] == "always"
        or session["invoice_creation"]["enabled"]
        or data.get("setup_future_usage")
    )


def _complete(call: Call, session: StripeObject, intent: StripeObject) -> StripeObject:
    paid = intent["status"] == "succeeded"
    customer = call.store.get("customer", session["customer"] or "")
    email = customer["email"] if customer else session["customer_email"]
    call.change(
        session,
        customer_details={
            "address": {"country": "GB", "postal_code": "N1 9GU"},
            "email": email or "customer@example.com",
            "name": customer["name"] if customer else None,
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        payment_status="paid" if paid else "unpaid",
        status="complete",
        url=None,
    )
    if paid:
        _add_invoice(call, session)
    call.announce("checkout.session.completed", session)
    return session


def _add_invoice(call: Call, session: StripeObject) -> None:
    if not session["invoice_creation"]["enabled"]:
        return
    invoice = call.add(
        {
            **events.invoice_paid(session["amount_total"])["data"]["object"],
            "billing_reason": "manual",
            "created": call.now,
            "currency": session["currency"],
            "customer": session["customer"],
        }
    )
    call.change(session, invoice=invoice["id"])
    call.announce("invoice.paid", invoice)


def _total(line_items: list[dict[str, Any]]) -> tuple[str, int, str]:
    """Currency, total and description of what is bought."""
    total, currencies, names = 0, set(), []
    for index, item in enumerate(line_items):
        price = item.get("price_data", {})
        product = price.get("product_data", {})
        for name, value in (
            ("price_data][currency", price.get("currency")),
            ("price_data][product_data][name", product.get("name")),
            ("price_data][unit_amount", price.get("unit_amount")),
            ("quantity", item.get("quantity")),
        ):
            if value is None:
                param = f"line_items[{index}][{name}]"
                raise StripeError(
                    f"Missing required param: {param}.", code="parameter_missing", param=param
                )
        currencies.add(check_currency(price["currency"], "line_items"))
        names.append(product["name"])
        total += price["unit_amount"] * item["quantity"]
    if len(currencies) != 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    [currency] = currencies
    return currency, check_amount(total, currency, "line_items"), ", ".join(names)


def _expiry(call: Call) -> int:
    expires_at: int = call.params.get("expires_at", call.now + LONGEST_SECONDS)
    if expires_at < call.now + SHORTEST_SECONDS - 60:
        raise StripeError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session"
            " creation.",
            param="expires_at",
        )
    if expires_at > call.now + LONGEST_SECONDS + 60:
        raise StripeError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return expires_at
