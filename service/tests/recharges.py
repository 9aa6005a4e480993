"""Wallets that recharge themselves, as the tests use them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row

from .sandboxes import RunningSandbox
from .services import open_wallet

Connection = psycopg.Connection[Any]

THRESHOLD = 5_00
AMOUNT = 20_00
INTENTS = "/v1/payment_intents"


async def open_recharging_wallet(
    connection: Connection,
    sandbox: RunningSandbox,
    *,
    card: str = "pm_card_visa",
    balance_pence: int = 10_00,
    **limits: int,
) -> UUID:
    """A wallet that charges this card with £20 when its balance falls below £5."""
    org_id = open_wallet(connection, balance_pence=balance_pence)
    customer_id, card_id = await sandbox.add_customer(card)
    connection.execute("select wallet.attach_stripe_customer(%s, %s)", [org_id, customer_id])
    connection.execute("select wallet.keep_payment_method(%s, %s)", [org_id, card_id])
    set_auto_recharge(connection, org_id, **limits)
    return org_id


def set_auto_recharge(connection: Connection, org_id: UUID, **limits: int) -> dict[str, Any]:
    named = "".join(f", p_{name} => {value}" for name, value in limits.items())
    query = (
        "select wallet.set_auto_recharge(%s, true, 'a test', p_threshold_pence => %s,"
        f" p_amount_pence => %s{named})"
    )
    [(answer,)] = connection.execute(query.encode(), [org_id, THRESHOLD, AMOUNT]).fetchall()
    return dict(answer)


def spend(connection: Connection, org_id: UUID, pence: int) -> dict[str, Any]:
    [(answer,)] = connection.execute(
        "select wallet.deduct_call_credits(%s, %s, null, 1, 0, %s)", [org_id, str(uuid4()), pence]
    ).fetchall()
    return dict(answer)


def attempts(connection: Connection, org_id: UUID) -> list[dict[str, Any]]:
    """Every attempt to recharge this wallet, the oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from wallet.recharge_attempts where org_id = %s order by created_at", [org_id]
        ).fetchall()


def states(connection: Connection, org_id: UUID) -> list[str]:
    return [attempt["state"] for attempt in attempts(connection, org_id)]


def obstacle(connection: Connection, org_id: UUID) -> str | None:
    """Why no recharge starts now."""
    [(answer,)] = connection.execute("select wallet.get_auto_recharge(%s)", [org_id]).fetchall()
    reason: str | None = answer["obstacle"]
    return reason


def topics(connection: Connection, org_id: UUID) -> list[str]:
    """What the outbox was told of this wallet's recharges."""
    rows = connection.execute(
        """
        select topic::text from wallet.outbox_messages
         where org_id = %s and topic like '%%recharge%%' order by created_at, topic
        """,
        [org_id],
    ).fetchall()
    return [topic for (topic,) in rows]


def let_leases_end(connection: Connection) -> None:
    """Every lease and every pause between two tries is over."""
    connection.execute(
        "update wallet.recharge_attempts set next_try_at = now() where closed_at is null"
    )


def let_keys_grow_old(connection: Connection) -> None:
    """Stripe was first asked more than a day ago."""
    connection.execute(
        """
        update wallet.recharge_attempts
           set first_called_at = first_called_at - interval '25 hours', next_try_at = now()
         where closed_at is null
        """
    )


def let_cooldown_end(connection: Connection, hours: int = 2) -> None:
    """Attempts that are over were made and ended these hours earlier."""
    connection.execute(
        """
        update wallet.recharge_attempts
           set created_at = created_at - make_interval(hours => %(hours)s),
               closed_at = closed_at - make_interval(hours => %(hours)s)
         where closed_at is not null
        """,
        {"hours": hours},
    )
