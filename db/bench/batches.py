"""Batches of charges, held against `copy` of the same rows; and a reconciliation."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

WALLETS = 100_000
BATCH = 1000
HISTORY = 1_000_000
SHORT_HISTORY = 100
PROVIDER_CALLS = 10_000
MISSED = 300

Charge = dict[str, Any]

# Each is looked up for itself: a join would read the history of a wallet from end to end.
ENTRIES = """
    copy (
        select e.*
          from batch as b,
               lateral (
                   select *
                     from wallet.credit_transactions
                    where org_id = b.org_id and idempotency_key = b.idempotency_key
                   offset 0
               ) as e
         order by e.org_id, e.entry_number
    ) to stdout
"""


class Batches:
    """One connection that charges calls by the thousand.

    What is measured is the statement alone, not what makes up its charges or reads them again.
    """

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.random = Random(1)  # noqa: S311
        self.fresh_wallets = count(50_000)
        self.batches: list[list[Charge]] = []

    def __enter__(self) -> Self:
        # The columns and indexes of the ledger, and as much in them, but nothing that checks a row.
        self.connection.execute(
            "create table bench_entries (like wallet.credit_transactions including indexes)"
        )
        self.connection.execute(
            "insert into bench_entries select * from wallet.credit_transactions"
        )
        self.connection.execute("create temp table batch (org_id uuid, idempotency_key text)")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.connection.close()

    def many_wallets(self, seconds: float) -> float:
        """Charges a second, all of a batch to different wallets."""
        return self._charge(seconds, lambda: self.random.sample(range(WALLETS), BATCH))

    def one_wallet(self, wallet: int, seconds: float) -> float:
        return self._charge(seconds, lambda: [wallet] * BATCH)

    def short_histories(self, seconds: float) -> float:
        """Each batch to a wallet of its own, which has been charged no more than a few times."""

        def fresh_wallet() -> Sequence[int]:
            wallet = next(self.fresh_wallets)
            self.charge(wallet, SHORT_HISTORY)
            return [wallet] * BATCH

        return self._charge(seconds, fresh_wallet)

    def charge(self, wallet: int, times: int) -> None:
        self._send([charge(wallet) for _ in range(times)])

    def make_history(self, wallet: int) -> None:
        for _ in range(HISTORY // BATCH):
            self.charge(wallet, BATCH)
        self.connection.execute("vacuum analyze wallet.credit_transactions, wallet.organizations")

    def copy(self) -> float:
        """Rows a second of copying, batch by batch, what the last run has charged."""
        taken = 0.0
        for batch in self.batches:
            rows = self._rows(batch)
            started = time.perf_counter()
            with (
                self.connection.cursor() as cursor,
                cursor.copy("copy bench_entries from stdin") as copy,
            ):
                copy.write(rows)
            taken += time.perf_counter() - started
        return len(self.batches) * BATCH / taken

    def reconciliation(self) -> Callable[[], float]:
        """What takes the seconds of a reconciliation. It is undone, and can be taken again."""
        start = datetime(2025, 3, 1, tzinfo=UTC)
        calls = [provider_call(number, start) for number in range(PROVIDER_CALLS)]
        told = [(Jsonb(call),) for call in calls[MISSED:]]
        self.random.shuffle(calls)
        with self.connection.cursor() as cursor:
            cursor.executemany("select wallet.record_call(%s)", told)
        self.connection.execute("vacuum analyze wallet.calls")

        def seconds() -> float:
            arguments = [start, start + timedelta(days=1), Jsonb(calls)]
            with self.connection.transaction(force_rollback=True):
                started = time.perf_counter()
                [(report,)] = self.connection.execute(
                    "select wallet.reconcile_calls(%s, %s, %s)", arguments
                ).fetchall()
                taken = time.perf_counter() - started
            assert (report["recovered"], report["failed"]) == (MISSED, []), report
            return taken

        return seconds

    def _charge(self, seconds: float, choose_wallets: Callable[[], Sequence[int]]) -> float:
        taken = 0.0
        self.batches = []
        while taken < seconds:
            batch = [charge(wallet) for wallet in choose_wallets()]
            taken += self._send(batch)
            self.batches.append(batch)
        return len(self.batches) * BATCH / taken

    def _send(self, batch: list[Charge]) -> float:
        charges = json.dumps(batch)
        started = time.perf_counter()
        [(text,)] = self.connection.execute(
            "select wallet.deduct_call_credits_batch(%s::jsonb)::text", [charges]
        ).fetchall()
        taken = time.perf_counter() - started
        answer = json.loads(text)
        assert answer["charged"] == len(batch), answer["results"][0]
        return taken

    def _rows(self, batch: list[Charge]) -> bytes:
        """The entries of a batch, in the order in which the ledger got them."""
        with self.connection.transaction(force_rollback=True), self.connection.cursor() as cursor:
            with cursor.copy("copy batch from stdin") as copy:
                for item in batch:
                    copy.write_row((item["org_id"], f"call:{item['call_id']}"))
            with cursor.copy(ENTRIES) as copy:
                return b"".join(bytes(block) for block in copy)


def charge(wallet: int) -> Charge:
    """One item of a batch, as charge.sql charges it."""
    number = uuid4().hex
    return {
        "org_id": wallet_id(wallet),
        "call_id": f"call_{number}",
        "vapi_call_id": f"vapi_{number}",
        "provider_cost_pence": 40,
        "markup_percent": 60,
        "client_charged_pence": 64,
    }


def provider_call(number: int, start: datetime) -> dict[str, Any]:
    """A call of a minute, as the provider lists it."""
    placed_at = start + timedelta(seconds=8 * number)
    return {
        "id": str(UUID(int=number)),
        "type": "outboundPhoneCall",
        "status": "ended",
        "createdAt": placed_at.isoformat(),
        "startedAt": placed_at.isoformat(),
        "endedAt": (placed_at + timedelta(minutes=1)).isoformat(),
        "endedReason": "customer-ended-call",
        "cost": 0.12,
        "metadata": {"org_id": wallet_id(number * 7), "call_id": f"reconciled_{number}"},
    }


def wallet_id(wallet: int) -> str:
    """One of those that seed.sql has made."""
    return f"00000000-0000-0000-0000-{100_000_000_001 + wallet % WALLETS}"
