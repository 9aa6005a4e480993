"""Reconciliation: each day's calls compared with what Vapi has, by one worker of those alive.

No transaction is open while Vapi is asked. Whatever ends this process in between, the lease
ends too, and another one goes on with the pages, or the calls, that are missing.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from ..database.pool import Database
from ..vapi_api.client import VapiClient, VapiFailure
from ..vapi_api.reconcile import LEASE_SECONDS, Lost, Reconciliation, Report, Stopped, Window

log = structlog.get_logger()

REPLAY_SECONDS = 60

TOLD = (
    "provider_calls",
    "known",
    "missing",
    "recovered",
    "unfinished",
    "reliability_percent",
    "alerted",
)


async def reconcile_calls(
    database: Database, vapi: VapiClient, worker: str, stop: asyncio.Event
) -> int:
    """Reconcile one window that is due; how many there were."""
    claimed = await database.call(
        "select wallet.claim_call_reconciliation(%s, %s)", worker, LEASE_SECONDS
    )
    if claimed["reconciliation"] is None:
        return 0
    window = Window.read(claimed["reconciliation"])
    fields = {"from": window.from_at.isoformat(), "to": window.to_at.isoformat()}
    log.info("reconciliation_started", resumed=window.resumed, **fields)
    reconciliation = Reconciliation(database.call, vapi, worker, window, stop)
    try:
        async with reconciliation.held():
            async for _page in reconciliation.pages():
                pass
            async for _remaining in reconciliation.recoveries():
                pass
            report = await reconciliation.finish()
    except VapiFailure as exc:
        log.warning("reconciliation_failed", error=str(exc), **fields)
        return 0
    except Stopped:
        log.info("reconciliation_stopped", **fields)
        return 0
    except Lost:
        log.warning("reconciliation_lost", **fields)
        return 0
    log.info("reconciliation_done", **_describe(report), **fields)
    await replay_unbilled_calls(database)
    return 1


async def replay_unbilled_calls(database: Database) -> int:
    """Try again some of what could not be billed when it was told; how many now were."""
    answer = await database.call("select wallet.replay_unbilled_calls()", seconds=REPLAY_SECONDS)
    if answer["billed"] or answer["failed"]:
        log.info("unbilled_calls_replayed", billed=answer["billed"], failed=answer["failed"])
    billed: int = answer["billed"]
    return billed


def _describe(report: Report) -> dict[str, Any]:
    """The numbers; what the calls are is in the database."""
    return {_camel_case(name): report.get(name) for name in TOLD}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
