"""Reservations that nobody has committed or released in time give back what they hold."""

from __future__ import annotations

import structlog

from ..database.pool import Database

log = structlog.get_logger()


async def expire_reservations(database: Database) -> int:
    """Expire a batch of them; how many there were."""
    answer = await database.call("select wallet.cleanup_expired_reservations()")
    expired: int = answer["expired"]
    if expired:
        log.info("reservations_expired", expired=expired, releasedPence=answer["released_pence"])
    return expired
