"""Stripe events as Stripe sends them, and the signature in front of them.

The demo, `wallet send-test-event` and the tests post these to the real webhook.
A builder of an object (`checkout_session`, `payment_intent`, ...) fills in every
field that Stripe sends; `event` wraps it in the envelope.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import string
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

API_VERSION = "2026-10-28.endive"

StripeObject = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """An id of Stripe's form, such as `evt_1QxY...`."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def encode(event: Mapping[str, Any]) -> bytes:
    """The body of the delivery; Stripe, too, sends indented UTF-8."""
    return json.dumps(event, indent=2, ensure_ascii=False).encode()


def sign(payload: bytes, secret: str, timestamp: int | None = None) -> str:
    """The `Stripe-Signature` header for these bytes.

    Computed here rather than by Stripe's package, so that the service's verifier
    isn't tested against itself, and so that any bytes can be signed.
    """
    signed_at = int(time.time()) if timestamp is None else timestamp
    mac = hmac.new(secret.encode(), b"%d." % signed_at + payload, hashlib.sha256)
    return f"t={signed_at},v1={mac.hexdigest()}"


def event(
    event_type: str,
    data_object: StripeObject,
    *,
    event_id: str | None = None,
    created: int | None = None,
    livemode: bool = False,
    previous_attributes: StripeObject | None = None,
) -> StripeObject:
    data: StripeObject = {"object": data_object}
    if previous_attributes is not None:
        data["previous_attributes"] = previous_attributes
    return {
        "id": event_id or new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": int(time.time()) if created is None else created,
        "data": data,
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
    }


def topup_metadata(org_id: UUID | str, amount_pence: int) -> dict[str, str]:
    """What a wallet payment carries; Stripe keeps metadata values as strings."""
    return {
        "type": "wallet_topup",
        "org_id": str(org_id),
        "amount_pence": str(amount_pence),
    }


def checkout_session(
    org_id: UUID | str,
    amount_pence: int,
    *,
    session_id: str | None = None,
    payment_intent_id: str | None = None,
    without_payment_intent: bool = False,
    customer_id: str | None = None,
    currency: str = "gbp",
    amount_tax: int = 0,
    amount_discount: int = 0,
    status: str = "complete",
    payment_status: str = "paid",
    metadata: dict[str, str] | None = None,
) -> StripeObject:
    """A Checkout Session in payment mode; `amount_pence` is its total, tax included."""
    now = int(time.time())
    session = session_id or new_id("cs_test", 58)
    intent = None if without_payment_intent else payment_intent_id or new_id("pi")
    return {
        "id": session,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": amount_pence - amount_tax + amount_discount,
        "amount_total": amount_pence,
        "automatic_tax": {"enabled": amount_tax > 0, "liability": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": "https://example.com/wallet",
        "client_reference_id": str(org_id),
        "client_secret": None,
        "consent": None,
        "consent_collection": None,
        "created": now - 60,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {"submit": None},
        "customer": customer_id or new_id("cus", 14),
        "customer_creation": "if_required",
        "customer_details": {
            "address": {"country": "GB", "postal_code": "N1 9GU"},
            "email": "billing@example.com",
            "name": "Zoë Ångström",
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
        },
        "customer_email": None,
        "expires_at": now + 86340,
        "invoice": None,
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": {}}},
        "livemode": False,
        "locale": None,
        "metadata": topup_metadata(org_id, amount_pence) if metadata is None else metadata,
        "mode": "payment",
        "payment_intent": intent,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": payment_status,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_options": [],
        "status": status,
        "submit_type": None,
        "subscription": None,
        "success_url": "https://example.com/wallet?topup=done",
        "total_details": {
            "amount_discount": amount_discount,
            "amount_shipping": 0,
            "amount_tax": amount_tax,
        },
        "ui_mode": "hosted",
        "url": None,
    }


def payment_intent(
    org_id: UUID | str,
    amount_pence: int,
    *,
    payment_intent_id: str | None = None,
    customer_id: str | None = None,
    charge_id: str | None = None,
    currency: str = "gbp",
    status: str = "succeeded",
    last_payment_error: StripeObject | None = None,
    metadata: dict[str, str] | None = None,
) -> StripeObject:
    succeeded = status == "succeeded"
    intent = payment_intent_id or new_id("pi")
    return {
        "id": intent,
        "object": "payment_intent",
        "amount": amount_pence,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": amount_pence if succeeded else 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": int(time.time()) if status == "canceled" else None,
        "cancellation_reason": "abandoned" if status == "canceled" else None,
        "capture_method": "automatic_async",
        "client_secret": None,
        "confirmation_method": "automatic",
        "created": int(time.time()) - 60,
        "currency": currency,
        "customer": customer_id or new_id("cus", 14),
        "description": None,
        "last_payment_error": last_payment_error,
        "latest_charge": (charge_id or new_id("ch")) if succeeded else None,
        "livemode": False,
        "metadata": topup_metadata(org_id, amount_pence) if metadata is None else metadata,
        "next_action": {"type": "use_stripe_sdk"} if status == "requires_action" else None,
        "on_behalf_of": None,
        "payment_method": new_id("pm"),
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": "off_session",
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def charge(
    org_id: UUID | str,
    amount_pence: int,
    *,
    payment_intent_id: str,
    charge_id: str | None = None,
    amount_refunded: int = 0,
    currency: str = "gbp",
) -> StripeObject:
    return {
        "id": charge_id or new_id("ch"),
        "object": "charge",
        "amount": amount_pence,
        "amount_captured": amount_pence,
        "amount_refunded": amount_refunded,
        "balance_transaction": new_id("txn"),
        "billing_details": {
            "address": {"country": "GB", "postal_code": "N1 9GU"},
            "email": "billing@example.com",
            "name": "Zoë Ångström",
            "phone": None,
        },
        "captured": True,
        "created": int(time.time()) - 60,
        "currency": currency,
        "customer": new_id("cus", 14),
        "description": None,
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": topup_metadata(org_id, amount_pence),
        "outcome": {"network_status": "approved_by_network", "type": "authorized"},
        "paid": True,
        "payment_intent": payment_intent_id,
        "payment_method": new_id("pm"),
        "payment_method_details": {
            "card": {"brand": "visa", "country": "GB", "funding": "credit"},
            "type": "card",
        },
        "receipt_email": None,
        "refunded": amount_refunded == amount_pence,
        "status": "succeeded",
    }


def refund(
    amount_pence: int,
    *,
    payment_intent_id: str,
    charge_id: str | None = None,
    currency: str = "gbp",
    status: str = "succeeded",
) -> StripeObject:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount_pence,
        "balance_transaction": new_id("txn"),
        "charge": charge_id or new_id("ch"),
        "created": int(time.time()),
        "currency": currency,
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": payment_intent_id,
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def dispute(
    amount_pence: int,
    *,
    payment_intent_id: str,
    charge_id: str | None = None,
    currency: str = "gbp",
    status: str = "needs_response",
) -> StripeObject:
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount_pence,
        "balance_transactions": [],
        "charge": charge_id or new_id("ch"),
        "created": int(time.time()),
        "currency": currency,
        "evidence": {},
        "evidence_details": {"has_evidence": False, "submission_count": 0},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": payment_intent_id,
        "payment_method_details": {
            "card": {"brand": "visa", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": "fraudulent",
        "status": status,
    }


def checkout_completed(session: StripeObject, **envelope: Any) -> StripeObject:
    return event("checkout.session.completed", session, **envelope)


def checkout_async_payment_succeeded(session: StripeObject, **envelope: Any) -> StripeObject:
    paid = {**session, "payment_status": "paid"}
    return event("checkout.session.async_payment_succeeded", paid, **envelope)


def checkout_async_payment_failed(session: StripeObject, **envelope: Any) -> StripeObject:
    unpaid = {**session, "payment_status": "unpaid"}
    return event("checkout.session.async_payment_failed", unpaid, **envelope)


def checkout_expired(session: StripeObject, **envelope: Any) -> StripeObject:
    expired = {
        **session,
        "status": "expired",
        "payment_status": "unpaid",
        "payment_intent": None,
    }
    return event("checkout.session.expired", expired, **envelope)


def payment_intent_event(intent: StripeObject, **envelope: Any) -> StripeObject:
    """The event that announces the intent's present status."""
    event_type = {
        "succeeded": "payment_intent.succeeded",
        "requires_payment_method": "payment_intent.payment_failed",
        "canceled": "payment_intent.canceled",
        "processing": "payment_intent.processing",
        "requires_action": "payment_intent.requires_action",
    }[intent["status"]]
    return event(event_type, intent, **envelope)


def declined_payment_intent(org_id: UUID | str, amount_pence: int, **fields: Any) -> StripeObject:
    return payment_intent(
        org_id,
        amount_pence,
        status="requires_payment_method",
        last_payment_error={
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "message": "Your card has insufficient funds.",
            "type": "card_error",
        },
        **fields,
    )


def refund_created(refund_object: StripeObject, **envelope: Any) -> StripeObject:
    return event("refund.created", refund_object, **envelope)


def charge_refunded(charge_object: StripeObject, **envelope: Any) -> StripeObject:
    return event(
        "charge.refunded",
        charge_object,
        previous_attributes={"amount_refunded": 0, "refunded": False},
        **envelope,
    )


def charge_dispute_created(dispute_object: StripeObject, **envelope: Any) -> StripeObject:
    return event("charge.dispute.created", dispute_object, **envelope)


def invoice_paid(amount_pence: int, **envelope: Any) -> StripeObject:
    """A payment that is none of the wallet's business: a subscription's invoice."""
    invoice = {
        "id": new_id("in"),
        "object": "invoice",
        "amount_due": amount_pence,
        "amount_paid": amount_pence,
        "amount_remaining": 0,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": int(time.time()) - 60,
        "currency": "gbp",
        "customer": new_id("cus", 14),
        "livemode": False,
        "metadata": {},
        "number": "A1B2C3D4-0001",
        "status": "paid",
        "total": amount_pence,
    }
    return event("invoice.paid", invoice, **envelope)


def customer(
    *,
    created: int,
    customer_id: str | None = None,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> StripeObject:
    return {
        "id": customer_id or new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": description,
        "email": email,
        "invoice_prefix": new_id("", 8)[1:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": metadata or {},
        "name": name,
        "next_invoice_sequence": 1,
        "phone": phone,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def card_payment_method(
    *,
    created: int,
    payment_method_id: str | None = None,
    customer_id: str | None = None,
    brand: str = "visa",
    last4: str = "4242",
    funding: str = "credit",
    exp_month: int = 12,
    exp_year: int = 2034,
) -> StripeObject:
    return {
        "id": payment_method_id or new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _billing_details(),
        "card": {
            "brand": brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass",
            },
            "country": "GB",
            "display_brand": brand,
            "exp_month": exp_month,
            "exp_year": exp_year,
            "fingerprint": new_id("", 16)[1:],
            "funding": funding,
            "generated_from": None,
            "last4": last4,
            "networks": {"available": [brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": created,
        "customer": customer_id,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def bacs_debit_payment_method(*, created: int, customer_id: str | None = None) -> StripeObject:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "bacs_debit": {
            "fingerprint": new_id("", 16)[1:],
            "last4": "2345",
            "sort_code": "108800",
        },
        "billing_details": _billing_details(),
        "created": created,
        "customer": customer_id,
        "livemode": False,
        "metadata": {},
        "type": "bacs_debit",
    }


def _billing_details() -> StripeObject:
    return {
        "address": {
            "city": None,
            "country": None,
            "line1": None,
            "line2": None,
            "postal_code": None,
            "state": None,
        },
        "email": None,
        "name": None,
        "phone": None,
        "tax_id": None,
    }


def early_fraud_warning(
    *, created: int, charge_id: str, payment_intent_id: str | None
) -> StripeObject:
    return {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": charge_id,
        "created": created,
        "fraud_type": "misc",
        "livemode": False,
        "payment_intent": payment_intent_id,
    }


def webhook_endpoint(
    *,
    created: int,
    url: str,
    enabled_events: list[str],
    endpoint_id: str | None = None,
    api_version: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> StripeObject:
    """As it is shown; the secret comes with the answer to its creation alone."""
    return {
        "id": endpoint_id or new_id("we"),
        "object": "webhook_endpoint",
        "api_version": api_version,
        "application": None,
        "created": created,
        "description": description,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": metadata or {},
        "status": "enabled",
        "url": url,
    }


def account(*, account_id: str, created: int) -> StripeObject:
    return {
        "id": account_id,
        "object": "account",
        "business_profile": {"name": "pgwallet sandbox", "url": None},
        "business_type": None,
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "GB",
        "created": created,
        "default_currency": "gbp",
        "details_submitted": True,
        "email": "sandbox@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "pgwallet sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }
