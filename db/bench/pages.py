"""What the wallet page asks for first, as a tenant asks: the summary and a page of the ledger."""

from __future__ import annotations

import json
import time

import psycopg

ASK = """
    select wallet.get_wallet_summary(%(org)s), wallet.list_transactions(%(org)s)
"""


class Pages:
    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def rate(self, org_id: str, seconds: float) -> float:
        """How often a second the page of this organization can be opened, one after the other."""
        started = time.perf_counter()
        count = 0
        while time.perf_counter() < started + seconds:
            self._open(org_id)
            count += 1
        return count / (time.perf_counter() - started)

    def _open(self, org_id: str) -> None:
        claims = json.dumps({"app_metadata": {"org_id": org_id}})
        with self.connection.transaction():
            self.connection.execute(
                "select set_config('role', 'authenticated', true),"
                " set_config('request.jwt.claims', %s, true)",
                [claims],
            )
            answers = self.connection.execute(ASK, {"org": org_id}).fetchone()
        assert answers
        assert all(answer["success"] for answer in answers), answers
