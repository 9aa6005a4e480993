"""The daily check of the books, by one worker of those alive; when it is due is for SQL to say."""

from __future__ import annotations

import structlog

from ..database.pool import Database

log = structlog.get_logger()

# It reads every entry of every ledger.
CHECK_SECONDS = 3600


async def check_books(database: Database, worker: str) -> int:
    """Check them if it is due; there is never more to do at once."""
    answer = await database.call_within(CHECK_SECONDS, "select wallet.check_books(%s)", worker)
    if answer["checked"]:
        write = log.error if answer["problems"] else log.info
        write(
            "books_checked",
            wallets=answer["wallets"],
            problems=answer["problems"],
            alerted=answer["alerted"],
        )
    return 0
