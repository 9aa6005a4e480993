"""`make bench`: what pgwallet does, as a ratio to what PostgreSQL itself does on the same server.

Every ratio is made of alternating runs and their medians, so that a machine that slows down or is
shared does so for both sides. The absolute figures beside it mean something on this machine only.

BENCH_SECONDS (8) is how long a run takes, BENCH_ROUNDS (5) how many make a median.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import psycopg

from service.database.embedded import EmbeddedServer
from service.database.migrate import migrate

from .batches import Batches, wallet_id
from .pages import Pages
from .webhooks import WebhookLoad

FOLDER = Path(__file__).parent
SECONDS = int(os.environ.get("BENCH_SECONDS", "8"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))

# Durable as in production. The checkpoint that a run would otherwise meet by chance is kept out of
# all of them.
OPTIONS = {
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "max_connections": "100",
}


class Bench:
    def __init__(self, server: EmbeddedServer, url: str) -> None:
        self.server = server
        self.url = url

    def sql(self, file: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in (FOLDER / file).read_text().split(";\n\n"):
                connection.execute(statement.encode())

    def pgbench(self, *arguments: str) -> str:
        return subprocess.run(
            [self.server.binaries / "pgbench", *arguments, self.url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def transactions(self, clients: int, *script: str) -> float:
        """Transactions a second of a pgbench script."""
        report = self.pgbench("-n", "-c", str(clients), "-j", "2", "-T", str(SECONDS), *script)
        [rate] = re.findall(r"tps = ([\d.]+)", report)
        return float(rate)

    def charges(self, clients: int, file: str) -> float:
        """Charges a second; every transaction of the script has to be one."""
        before = self.entries()
        rate = self.transactions(clients, "-f", str(FOLDER / file))
        if self.entries() - before < rate * SECONDS * 0.9:
            sys.exit(
                f"{file}: not every transaction wrote an entry, so there is nothing to report."
            )
        return rate

    def entries(self) -> int:
        with psycopg.connect(self.url) as connection:
            query = "select sum(last_entry_number)::bigint from wallet.organizations"
            [(count,)] = connection.execute(query).fetchall()
            return int(count)

    def wal_bytes(self, run: Callable[[], float]) -> float:
        """WAL bytes an entry, over one run."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            query = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
            [(start,)] = connection.execute(query).fetchall()
            before = self.entries()
            run()
            [(end,)] = connection.execute(query).fetchall()
            return float(end - start) / (self.entries() - before)


def compare(title: str, aim: str, ours: Callable[[], float], limit: Callable[[], float]) -> None:
    """Alternate the two and print the ratio of their medians."""
    runs = [(ours(), limit()) for _ in range(ROUNDS)]
    mine, theirs = (median(side) for side in zip(*runs, strict=True))
    spread = sorted(a / b for a, b in runs)
    print(
        f"{title:<58} {mine / theirs:5.2f}   {aim:<11}"
        f" {spread[0]:.2f} to {spread[-1]:.2f}   {mine:6.0f}/s against {theirs:.0f}/s",
        flush=True,
    )


def measure_batches(bench: Bench) -> None:
    # They write more than ten times as much a second as anything else.
    seconds = SECONDS / 4
    hot, long, short = 0, 1, 2
    with Batches(bench.url) as batches:
        for title, ours, single, aims in (
            (
                "1,000 wallets",
                partial(batches.many_wallets, seconds),
                partial(bench.charges, 1, "charge.sql"),
                ("12", "0.3"),
            ),
            (
                "one wallet",
                partial(batches.one_wallet, hot, seconds),
                partial(bench.charges, 1, "charge_one_wallet.sql"),
                ("20", "0.45"),
            ),
        ):
            batch = f"batch of 1,000 charges, {title}"
            compare(f"{batch} / one by one", aims[0], ours, single)
            compare(f"{batch} / copy of the rows", aims[1], ours, batches.copy)

        batches.make_history(long)
        compare(
            "the same with 1,000,000 entries in it / with 100",
            "1 / 1.2",
            partial(batches.one_wallet, long, seconds),
            partial(batches.short_histories, seconds),
        )

        batches.charge(short, 100)
        pages = Pages(bench.url)
        compare(
            "wallet page with 1,000,000 entries / with 100",
            "1 / 1.5",
            partial(pages.rate, wallet_id(long), seconds),
            partial(pages.rate, wallet_id(short), seconds),
        )

        reconciliation = batches.reconciliation()
        times = sorted(reconciliation() for _ in range(ROUNDS))
        print(
            "Reconciliation of 10,000 calls of which 300 were missed:"
            f" {median(times):.2f} s ({times[0]:.2f} to {times[-1]:.2f}; aim: below 3).",
            flush=True,
        )


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="pgwallet-bench-") as home,
        EmbeddedServer(Path(home), options=OPTIONS) as server,
    ):
        bench = Bench(server, server.ensure_database("bench"))
        print(f"Making 100,000 wallets. Then {ROUNDS} rounds of {SECONDS} s each.", flush=True)
        migrate(bench.url)
        bench.pgbench("-i", "-q", "-s", "1")
        bench.sql("seed.sql")
        with psycopg.connect(bench.url, autocommit=True) as connection:
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")
        # The first touch of a page after a checkpoint logs all of it; neither side pays for that.
        bench.charges(8, "charge.sql")
        bench.transactions(8, "-b", "simple-update")

        print(f"\n{'':<58} ratio   aim         rounds")
        for clients in (8, 32):
            compare(
                f"charge of 100,000 wallets / simple-update, {clients} clients",
                "1.0",
                partial(bench.charges, clients, "charge.sql"),
                partial(bench.transactions, clients, "-b", "simple-update"),
            )
        one_row = ["-f", str(FOLDER / "update_one_row.sql")]
        for title in ("charge of one wallet", "the same with 100,000 entries in it"):
            compare(
                f"{title} / update of one row, 8 clients",
                "0.6",
                partial(bench.charges, 8, "charge_one_wallet.sql"),
                partial(bench.transactions, 8, *one_row),
            )
            if title == "charge of one wallet":
                bench.sql("grow_one_wallet.sql")

        measure_batches(bench)

        with WebhookLoad(bench.url, connections=50) as load:
            compare(
                "signed webhook over HTTP, 50 connections / direct call",
                "0.4",
                partial(load.requests, SECONDS),
                partial(bench.charges, 10, "webhook.sql"),
            )
            print(
                f"\nWebhook latency: p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms (aim: below 50)."
            )
            print(f"Memory of the service: {load.memory_mib:.0f} MiB at most (aim: below 150).")
        wal = bench.wal_bytes(partial(bench.charges, 8, "charge.sql"))
        print(f"WAL of a charge: {wal:.0f} bytes.")

        with psycopg.connect(bench.url) as connection:
            for query in (
                "select * from wallet.validate_credits_consistency()",
                "select * from wallet.verify_ledger()",
            ):
                if problems := connection.execute(query).fetchall():
                    sys.exit(f"{query}: {len(problems)} problems, the first {problems[0]}")
        print("Books verified.")


if __name__ == "__main__":
    main()
