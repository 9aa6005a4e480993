"""Delivering the outbox: claim messages, send each to its channels, tell SQL what became of it.

No transaction is open while a receiver is asked. Whatever ends this process in between,
the lease ends too, and the message goes out again under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import structlog

from ..database.pool import Database
from .channels import Channel, Message, Refused

log = structlog.get_logger()

BATCH_SIZE = 20
# Far more than the channels' timeout and the report together.
LEASE_SECONDS = 60


async def deliver_messages(database: Database, channels: Sequence[Channel], worker: str) -> int:
    """Try to deliver a batch of messages; how many there were."""
    claimed = await database.call(
        "select wallet.claim_messages(%s, %s, %s)", worker, BATCH_SIZE, LEASE_SECONDS
    )
    messages: list[Message] = claimed["messages"]
    await asyncio.gather(*(_deliver(database, channels, worker, message) for message in messages))
    return len(messages)


async def _deliver(
    database: Database, channels: Sequence[Channel], worker: str, message: Message
) -> None:
    fields = {"messageId": message["id"], "topic": message["topic"], "orgId": message["org_id"]}
    missing = [channel for channel in channels if channel.name not in message["delivered_to"]]
    problems = await asyncio.gather(*(_send(channel, message) for channel in missing))
    error = "; ".join(problem for problem in problems if problem) or None
    delivered_to = [
        channel.name for channel, problem in zip(missing, problems, strict=True) if not problem
    ]
    try:
        answer = await database.call(
            "select wallet.record_delivery(%s, %s, %s, %s)",
            message["id"],
            worker,
            delivered_to,
            error,
        )
    except (psycopg.Error, TimeoutError) as exc:
        # The others of the batch go on; this one is claimed again after its lease.
        log.warning("delivery_not_recorded", errorType=type(exc).__name__, **fields)
        return
    if error:
        write = log.error if answer.get("status") == "dead" else log.warning
        write(
            "message_not_delivered",
            error=error,
            attempts=message["attempts"],
            status=answer.get("status"),
            **fields,
        )


async def _send(channel: Channel, message: Message) -> str | None:
    """What went wrong, in words that hold neither the receiver's URL nor its answer."""
    try:
        await channel.send(message)
    except Refused as exc:
        return f"{channel.name}: {exc}"
    except Exception as exc:
        return f"{channel.name}: {type(exc).__name__}"
    return None
