"""GET /metrics: what the service counts and the database tells, for Prometheus."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from aiohttp import ClientSession
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from ..http import metrics
from ..http.app import (
    STRIPE_WEBHOOK_PATH,
    TWILIO_WEBHOOK_PATH,
    VAPI_WEBHOOK_PATH,
    WALLET_PATH,
    listen,
    running,
)
from ..http.gauges import GAUGES
from ..http.metrics import METRICS_PATH, PROVIDERS, STRIPE_EVENT_TYPES
from ..http.operator import QUEUE_STATS_PATH
from ..sandbox import events
from ..settings import ServiceSettings
from .services import WHSEC, Service, open_wallet, running_service, wait_for_lock
from .tenants import JWT_SECRET, make_token

Connection = psycopg.Connection[Any]

SUMMARY_PATH = WALLET_PATH + "/summary"

TOKEN = "t0ken-of-the-tests-" + "x" * 20
VAPI_SECRET = "s3cret-of-vapi-in-tests"


class Scrape:
    """What one scrape told, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {}
        for family in text_string_to_metric_families(text):
            assert family.name not in self.families, f"{family.name} is told twice"
            self.families[family.name] = family
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def get(self, name: str, **labels: str) -> float | None:
        return self._samples.get((name, frozenset(labels.items())))

    def labels(self, name: str, label: str) -> set[str]:
        return {dict(labels)[label] for each, labels in self._samples if each == name}


SCRAPE_SECONDS = 15
FRESH_SECONDS = metrics.FRESH_SECONDS


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FRESH_SECONDS", 0)


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_service(
        database, api_token=TOKEN, vapi_webhook_secret=VAPI_SECRET
    ) as service:
        yield service


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


def messages(connection: Connection) -> int:
    return connection.execute("select from wallet.outbox_messages").rowcount


async def scrape(service: Service) -> Scrape:
    async with service.client.get(service.url + METRICS_PATH) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Scrape(await response.text())


async def test_requests_are_counted_by_route_and_never_by_what_a_stranger_sends(
    service: Service,
) -> None:
    await service.health()
    await service.health()
    for path in ("/no/such/page", "/elsewhere?token=hunter2", QUEUE_STATS_PATH):
        async with service.client.request("PROPFIND", service.url + path):
            pass
    async with service.client.get(service.url + QUEUE_STATS_PATH):
        pass

    told = await scrape(service)

    def requests(route: str, method: str, status: str) -> float | None:
        labels = {"route": route, "method": method, "status": status}
        return told.get("pgwallet_http_requests_total", **labels)

    assert requests("/health", "GET", "200") == 2
    assert requests(QUEUE_STATS_PATH, "GET", "401") == 1
    assert requests("other", "other", "404") == 2
    assert requests("other", "other", "405") == 1
    assert told.get("pgwallet_refusals_total", error="unauthorized") == 1
    for word in ("PROPFIND", "such", "elsewhere", "hunter2"):
        assert word not in told.text
    assert requests(METRICS_PATH, "GET", "200") is None
    told = await scrape(service)
    assert requests(METRICS_PATH, "GET", "200") == 1


async def test_events_are_counted_by_type_and_outcome(
    service: Service, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    paid = events.checkout_completed(events.checkout_session(org_id, 50_00))
    unknown = events.checkout_completed(events.checkout_session(uuid4(), 50_00))
    for event in (paid, paid, unknown, events.invoice_paid(1)):
        await service.deliver(event)
    await service.deliver(paid, secret="whsec_of_somebody_else")
    await service.post(b"{}", {})
    await service.send(VAPI_WEBHOOK_PATH, b"{}", {"X-Vapi-Secret": "wrong"})
    report = b'{"message": {"type": "status-update"}}'
    await service.send(VAPI_WEBHOOK_PATH, report, {"X-Vapi-Secret": VAPI_SECRET})

    told = await scrape(service)

    def count(provider: str, event_type: str, outcome: str) -> float | None:
        labels = {"provider": provider, "type": event_type, "outcome": outcome}
        return told.get("pgwallet_webhook_events_total", **labels)

    completed = "checkout.session.completed"
    assert count("stripe", completed, "processed") == 1
    assert count("stripe", completed, "duplicate") == 1
    assert count("stripe", completed, "failed") == 1
    assert count("stripe", "other", "ignored") == 1
    assert "invoice" not in told.text
    assert count("vapi", "call_report", "ignored") == 1
    assert sum(sample.value for sample in told.families["pgwallet_webhook_events"].samples) == 5
    assert told.get("pgwallet_webhook_signature_failures_total", provider="stripe") == 2
    assert told.get("pgwallet_webhook_signature_failures_total", provider="vapi") == 1
    assert told.get("pgwallet_webhook_signature_failures_total", provider="twilio") == 0
    assert told.get("pgwallet_refusals_total", error="organization_not_found") == 1
    assert told.get("pgwallet_refusals_total", error="invalid_signature") == 2


async def test_what_could_not_be_stored_is_counted(
    service: Service, connection: Connection
) -> None:
    connection.execute("drop function wallet.process_stripe_event(jsonb) cascade")
    paid = events.checkout_completed(events.checkout_session(uuid4(), 50_00))
    assert (await service.deliver(paid)).outcome == "503 database_unavailable"
    await service.send(TWILIO_WEBHOOK_PATH, b"", {})  # which isn't configured

    told = await scrape(service)

    labels = {"provider": "stripe", "type": "other", "outcome": "unavailable"}
    assert told.get("pgwallet_webhook_events_total", **labels) == 1
    labels = {"provider": "twilio", "type": "sms_status", "outcome": "unavailable"}
    assert told.get("pgwallet_webhook_events_total", **labels) == 0
    function = "process_stripe_event"
    failures = "pgwallet_database_call_failures_total"
    assert told.get(failures, function=function, reason="42883") == 1
    assert told.get("pgwallet_database_call_seconds_count", function=function) == 1


async def test_each_function_has_its_latencies(service: Service, connection: Connection) -> None:
    org_id = open_wallet(connection)
    for _ in range(3):
        session = events.checkout_session(org_id, 50_00)
        await service.deliver(events.checkout_completed(session))
    await service.health()

    told = await scrape(service)

    name, function = "pgwallet_database_call_seconds", "process_stripe_event"
    assert told.get(f"{name}_count", function=function) == 3
    total = told.get(f"{name}_sum", function=function)
    assert total is not None
    assert 0 < total < 10
    assert told.get(f"{name}_bucket", function=function, le="10.0") == 3
    assert told.get(f"{name}_bucket", function=function, le="+Inf") == 3
    assert told.labels(f"{name}_count", "function") == {function, "get_health", "get_metrics"}


async def test_what_customers_ask_for_is_measured_too(
    database: str, connection: Connection
) -> None:
    org_id = open_wallet(connection)
    async with running_service(database, jwt_secret=JWT_SECRET) as service:
        headers = {"Authorization": f"Bearer {make_token(org_id)}"}
        async with service.client.get(service.url + SUMMARY_PATH, headers=headers) as response:
            assert response.status == 200
        told = await scrape(service)
    name = "pgwallet_database_call_seconds_count"
    assert told.get(name, function="get_wallet_summary") == 1
    assert str(org_id) not in told.text


async def test_the_wait_for_a_lock_is_part_of_the_latency(
    service: Service, connection: Connection, connect: Callable[..., Connection]
) -> None:
    holder = connect()
    with holder.transaction():
        holder.execute("lock table wallet.processed_stripe_webhooks")
        delivery = asyncio.create_task(
            service.deliver(events.checkout_completed(events.checkout_session(uuid4(), 50_00)))
        )
        await wait_for_lock(connection)
        await asyncio.sleep(0.3)
    await delivery
    told = await scrape(service)
    total = told.get("pgwallet_database_call_seconds_sum", function="process_stripe_event")
    assert total is not None
    assert total >= 0.3


async def test_what_the_database_holds_is_told(service: Service, connection: Connection) -> None:
    told = await scrape(service)
    assert told.get("pgwallet_database_up") == 1
    assert told.get("pgwallet_workers_alive") == 0
    assert told.get("pgwallet_failed_events") == 0
    assert told.get("pgwallet_oldest_failed_event_seconds") == 0
    assert told.get("pgwallet_billing_success_ratio") is None
    assert told.get("pgwallet_webhook_reliability_ratio") is None
    assert told.get("pgwallet_consistency_check_timestamp_seconds") == 0
    assert told.get("pgwallet_consistency_check_wallets") is None
    assert told.get("pgwallet_recharge_attempts", state="unresolved") == 0

    connection.execute("select wallet.note_worker('worker-1', '1.0')")
    await service.deliver(events.checkout_completed(events.checkout_session(uuid4(), 50_00)))
    connection.execute(
        "update wallet.processed_stripe_webhooks set received_at = now() - interval '90 seconds'"
    )
    org_id = open_wallet(connection, balance_pence=10_00)
    for number in range(3):
        connection.execute("select wallet.bill_call(%s, %s, 60)", [org_id, f"call-{number}"])
    connection.execute(
        """
        insert into wallet.unbilled_calls (
            vapi_call_id, report, told_by, error_code, error_message
        )
        values ('call', '{}', 'webhook', 'x', 'x')
        """
    )
    connection.execute(
        """
        insert into wallet.call_reconciliations (from_at, to_at, status, requested_by, report)
        values (now() - interval '1 day', now(), 'done', 'ann', '{"reliability_percent": 97.5}')
        """
    )
    before = time.time()
    connection.execute("select wallet.check_books('worker-1')")

    told = await scrape(service)

    assert told.get("pgwallet_workers_alive") == 1
    assert told.get("pgwallet_failed_events") == 1
    oldest = told.get("pgwallet_oldest_failed_event_seconds")
    assert oldest is not None
    assert 90 <= oldest < 120
    assert told.get("pgwallet_outbox_due_messages") == messages(connection)
    assert told.get("pgwallet_calls_last_hour", outcome="billed") == 3
    assert told.get("pgwallet_calls_last_hour", outcome="unbilled") == 1
    assert told.get("pgwallet_billing_success_ratio") == pytest.approx(0.75)
    assert told.get("pgwallet_webhook_reliability_ratio") == pytest.approx(0.975)
    checked = told.get("pgwallet_consistency_check_timestamp_seconds")
    assert checked is not None
    assert before - 5 <= checked <= time.time() + 5
    assert told.get("pgwallet_consistency_check_wallets") == 1
    assert told.get("pgwallet_consistency_check_problems") == 0


async def test_every_figure_of_the_database_has_its_gauge(
    service: Service, connection: Connection
) -> None:
    connection.execute("select wallet.check_books('worker-1')")
    [(figures,)] = connection.execute("select wallet.get_metrics()").fetchall()
    told = {gauge.of or gauge.key for gauge in GAUGES}
    assert told == figures.keys() - {"success"}
    assert {gauge.key for gauge in GAUGES if gauge.of} == figures["last_consistency_check"].keys()


async def test_a_database_that_is_out_is_told_in_time(
    service: Service, connection: Connection
) -> None:
    assert (await scrape(service)).get("pgwallet_failed_events") == 0
    connection.execute("begin")
    connection.execute("lock table wallet.outbox_messages")

    before = time.monotonic()
    told = await scrape(service)

    assert time.monotonic() - before < 3
    assert told.get("pgwallet_database_up") == 0
    for gauge in GAUGES:
        assert told.families[gauge.name].samples == []
    failures = "pgwallet_database_call_failures_total"
    assert told.get(failures, function="get_metrics", reason="TimeoutError") == 1
    connection.execute("rollback")
    assert (await scrape(service)).get("pgwallet_database_up") == 1


async def test_without_any_database_it_answers_all_the_same() -> None:
    settings = ServiceSettings.load(
        database_url="postgresql://127.0.0.1:1/none", stripe_webhook_secret=WHSEC
    )
    with listen("127.0.0.1", 0) as listener:
        async with running(settings, listener) as url, ClientSession() as client:
            service = Service(url, client)
            before = time.monotonic()
            told = await scrape(service)
            assert time.monotonic() - before < 3
            assert told.get("pgwallet_database_up") == 0
            assert told.families.keys() >= {gauge.name for gauge in GAUGES}


async def test_whoever_asks_often_costs_the_database_nothing_more(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "FRESH_SECONDS", 60)
    await asyncio.gather(*(scrape(service) for _ in range(20)))
    told = await scrape(service)
    reads = told.get("pgwallet_database_call_seconds_count", function="get_metrics")
    assert reads == 1
    assert 1 < FRESH_SECONDS < SCRAPE_SECONDS
    assert told.get("pgwallet_database_up") == 1


async def test_each_service_counts_for_itself(service: Service, database: str) -> None:
    await service.health()
    async with running_service(database) as other:
        told = await scrape(other)
    assert told.labels("pgwallet_http_requests_total", "route") == set()


async def test_a_scrape_is_logged_only_where_it_is_looked_for(service: Service) -> None:
    with capture_logs() as logs:
        await scrape(service)
    [line] = [line for line in logs if line.get("path") == METRICS_PATH]
    assert line["log_level"] == "debug"


def test_the_types_of_events_are_those_that_the_database_handles(connection: Connection) -> None:
    [(types,)] = connection.execute("select wallet.stripe_event_types()").fetchall()
    assert set(types) == STRIPE_EVENT_TYPES


def test_the_providers_are_those_of_the_webhooks() -> None:
    assert PROVIDERS == {
        STRIPE_WEBHOOK_PATH: "stripe",
        VAPI_WEBHOOK_PATH: "vapi",
        TWILIO_WEBHOOK_PATH: "twilio",
    }


async def test_names_and_help_are_as_prometheus_wants_them(
    service: Service, connection: Connection
) -> None:
    open_wallet(connection)
    await service.deliver(events.checkout_completed(events.checkout_session(uuid4(), 50_00)))
    told = await scrape(service)
    for family in told.families.values():
        assert re.fullmatch(r"pgwallet_[a-z]+(_[a-z]+)*", family.name)
        assert len(family.documentation.split()) > 2, family.name
        assert not re.search(r"_(milliseconds|minutes|percent|pence|count|sum)$", family.name)
        if family.type == "counter":
            assert f"# TYPE {family.name}_total counter" in told.text
        else:
            assert not family.name.endswith("_total")
    assert "_created" not in told.text
