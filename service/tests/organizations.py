"""Organizations that have done everything once: each has a row in every table of tenants."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg

from ..sandbox import events
from .docs import call, deliver

Connection = psycopg.Connection[Any]


def fill(connection: Connection, name: str, pence: int) -> UUID:
    """An organization that pays in this much; `name` tells its ids from another one's."""
    org_id = uuid4()
    actor = f"the operator of {name}"
    call(connection, "create_wallet", org_id, name, f"{name}@example.com")
    for service, unit, price in (
        ("call", "minute", 60),
        ("sms", "segment", 4),
        ("phone_provisioning", "number", 100),
    ):
        call(connection, "set_price", service, unit, price, "gbp", actor, p_org_id=org_id)
    call(connection, "set_exchange_rate", "usd", "gbp", Decimal("0.79"), actor, p_org_id=org_id)
    call(connection, "set_gate_limit", "call", 1, "gbp", actor, p_org_id=org_id)
    call(connection, "adjust_wallet", org_id, pence, "credit", f"{name} pays", actor, "opening")
    _use(connection, org_id, name)
    _buy_numbers(connection, org_id, name)
    _pay(connection, org_id, name, pence)
    _recharge(connection, org_id, name, pence)
    return org_id


def _use(connection: Connection, org_id: UUID, name: str) -> None:
    call(connection, "reserve_call_credits", org_id, f"call-1 {name}", f"vapi-1 {name}")
    call(connection, "commit_reserved_credits", f"call-1 {name}", 91, org_id)
    call(connection, "reserve_call_credits", org_id, f"call-2 {name}", f"vapi-2 {name}")
    call(connection, "charge_sms", org_id, f"message-1 {name}", p_description=f"to {name}")
    unknown = {"MessageSid": f"SM2 {name}", "MessageStatus": "sent"}
    unknown |= {"org_id": str(org_id), "message_id": f"message-2 {name}"}
    call(connection, "record_sms_status", unknown)


def _buy_numbers(connection: Connection, org_id: UUID, name: str) -> None:
    """One that is used, one that was given back, and one that could not be bought."""
    credential = call(connection, "set_credential", org_id, "twilio", f"credential {name}", True)
    credential_id = UUID(credential["credential_id"])
    first = 4420794600000 + sum(name.encode()) % 300 * 3
    used, released, failed = (f"+{first + number}" for number in range(3))
    bought = {
        number: call(connection, "provision_phone_number", org_id, number, f"buy {number}")
        for number in (used, released, failed)
    }
    for number in (used, released):
        completed = (f"buy {number}", f"PN{number}", credential_id)
        call(connection, "complete_phone_provisioning", org_id, *completed)
    call(connection, "fail_phone_provisioning", org_id, f"buy {failed}", f"{name} is too late")
    number_id = UUID(bought[released]["phone_number_id"])
    call(connection, "release_phone_number", org_id, number_id, f"the operator of {name}")
    number_id = UUID(bought[used]["phone_number_id"])
    call(connection, "set_agent", org_id, uuid4(), name, f"assistant {name}", number_id)


def _pay(connection: Connection, org_id: UUID, name: str, pence: int) -> None:
    """A top-up that is refunded in part, one that is disputed, one that fails, one that waits."""
    actor = f"the operator of {name}"
    connection.execute("select wallet.attach_stripe_customer(%s, %s)", [org_id, f"cus_{name}"])
    connection.execute("select wallet.keep_payment_method(%s, %s)", [org_id, f"pm_{name}"])
    for number, currency in ((1, "gbp"), (2, "gbp"), (3, "eur")):
        session = events.checkout_session(
            org_id,
            pence,
            customer_id=f"cus_{name}",
            payment_intent_id=f"pi_{number}_{name}",
            currency=currency,
        )
        delivered = deliver(connection, events.checkout_completed(session))
    call(connection, "resolve_stripe_event", delivered["event_id"], actor, f"{name} has it back")
    refund = events.refund(pence // 10, payment_intent_id=f"pi_1_{name}")
    deliver(connection, events.refund_created(refund))
    dispute = events.dispute(pence, payment_intent_id=f"pi_2_{name}")
    deliver(connection, events.charge_dispute_created(dispute))
    call(connection, "unfreeze_wallet", org_id, f"{name} is right", actor)
    call(
        connection,
        "begin_topup",
        org_id,
        50_00,
        p_request_key=f"click {name}",
        p_return_url=f"https://{name}.example",
        p_user_id=f"user {name}",
        p_user_email=f"{name}@example.com",
    )


def _recharge(connection: Connection, org_id: UUID, name: str, pence: int) -> None:
    """An attempt that is open, and a card that was declined too often."""
    limits = {"p_threshold_pence": pence * 3, "p_amount_pence": pence * 4}
    limits |= {"p_max_pence_per_day": pence * 5, "p_max_pence_per_month": pence * 6}
    call(connection, "set_auto_recharge", org_id, True, f"the operator of {name}", **limits)
    connection.execute(
        """
        update wallet.recharge_settings
           set blocked_payment_method_id = %s, blocked_because = %s
         where org_id = %s
        """,
        [f"pm_{name}", f"the bank of {name} says no", org_id],
    )
