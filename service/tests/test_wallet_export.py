"""The ledger as a file for spreadsheets: all of it, as it is, and nothing that they would run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiohttp import ClientPayloadError
from structlog.testing import capture_logs

from ..http import export
from ..http.tenants import call_as
from ..run import SERVICE_ROLE
from .services import open_wallet
from .tenants import Customer, customer_of, running_wallet_service

Connection = psycopg.Connection[Any]

COLUMNS = ["number", "date", "type", "description", "amount", "balance", "currency"]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    return open_wallet(connection, balance_pence=50_00)


def spend(connection: Connection, org_id: UUID, *descriptions: str) -> None:
    """A penny for each."""
    charges = [
        {
            "org_id": str(org_id),
            "call_id": str(uuid4()),
            "client_charged_pence": 1,
            "provider_cost_pence": 0,
            "markup_percent": 0,
            "description": description,
        }
        for description in descriptions
    ]
    connection.execute("select wallet.deduct_call_credits_batch(%s::jsonb)", [json.dumps(charges)])


async def download(customer: Customer, **params: Any) -> list[list[str]]:
    async with customer.request("GET", "/transactions.csv", params=params) as response:
        assert response.status == 200
        text = (await response.read()).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


async def test_it_has_every_entry_page_by_page(
    database: str, connection: Connection, org_id: UUID
) -> None:
    spend(connection, org_id, *["a call"] * 1200)
    async with running_wallet_service(database) as service:
        customer = customer_of(service, org_id)
        head, *rows = await download(customer)
        assert head == COLUMNS
        assert [int(row[0]) for row in rows] == list(range(1201, 0, -1))
        assert rows[0][2:] == ["call_deduction", "a call", "-0.01", "38.00", "GBP"]
        assert rows[-1][2:] == ["bonus", "", "50.00", "50.00", "GBP"]
        assert [row[0] for row in await download(customer, type="bonus")] == ["number", "1"]
        assert await download(customer, to="2026-01-01T00:00:00Z") == [COLUMNS]


async def test_it_is_a_file_in_an_encoding_that_spreadsheets_recognise(
    database: str, org_id: UUID
) -> None:
    async with (
        running_wallet_service(database) as service,
        customer_of(service, org_id).request("GET", "/transactions.csv") as response,
    ):
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        disposition = response.headers["Content-Disposition"]
        assert disposition == 'attachment; filename="wallet-transactions.csv"'
        body = await response.read()
    assert body.startswith(b"\xef\xbb\xbfnumber,")
    assert body.endswith(b"GBP\r\n")


async def test_no_description_is_a_formula(
    database: str, connection: Connection, org_id: UUID
) -> None:
    formulas = ["=1+1", "+1", "-1", "@sum(1)", "\t=1", "\r=1"]
    harmless = ["a=1", " =1", "'=1", 'Zoë said "10,5"\n- twice', "£5.00"]
    spend(connection, org_id, *formulas, *harmless)
    async with running_wallet_service(database) as service:
        _, *rows, _ = await download(customer_of(service, org_id))
    assert [row[3] for row in reversed(rows)] == ["'" + text for text in formulas] + harmless
    assert {row[4] for row in rows} == {"-0.01"}


async def test_a_download_that_fails_half_way_is_seen_to_be_incomplete(
    database: str, connection: Connection, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(connection, org_id, *["a call"] * 1200)
    pages = 0

    async def fail_from_the_second_on(*args: Any) -> dict[str, Any]:
        nonlocal pages
        pages += 1
        if pages == 2:
            connection.execute(f"revoke wallet_gateway from {SERVICE_ROLE}")
        return await call_as(*args)

    monkeypatch.setattr(export, "call_as", fail_from_the_second_on)
    async with running_wallet_service(database) as service:
        customer = customer_of(service, org_id)
        try:
            with capture_logs() as logs:
                async with customer.request("GET", "/transactions.csv") as response:
                    assert response.status == 200
                    with pytest.raises(ClientPayloadError):
                        await response.read()
        finally:
            connection.execute(f"grant wallet_gateway to {SERVICE_ROLE}")
        assert pages == 2
        [line] = [line for line in logs if line["event"] == "export_broken_off"]
        assert line["error"] == "database_unavailable"

        # The service is as well as before.
        assert len(await download(customer)) == 1202
