"""GET /metrics: what alerts can be built on, in the text format of Prometheus.

Prometheus asks without a token, so whoever reaches the service may read this: it tells no
amount, no name and no id.

Each process counts for itself, from its start: scrape every one, and add them up. What is read
from the database is the same from each of them: take the largest.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from .. import __version__
from ..database.pool import Database
from .gauges import DatabaseGauges, Figures
from .keys import DATABASE, LOG_FIELDS

METRICS_PATH = "/metrics"

# Together with what is counted here: within three seconds, before Prometheus gives up.
TIMEOUT_SECONDS = 2.5
# Whoever asks more often, or all at once, costs the database nothing more.
FRESH_SECONDS = 5

# From a request's point of view: with the wait for a connection.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

FUNCTION = re.compile(r"\bwallet\.([a-z_]+)\(")

# What strangers send must not become a time series of its own.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"

# By the route that a provider calls.
PROVIDERS = {
    "/api/webhooks/stripe": "stripe",
    "/api/webhooks/vapi": "vapi",
    "/api/webhooks/twilio/sms-status": "twilio",
}

# As wallet.stripe_event_types() has them.
STRIPE_EVENT_TYPES = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
        "radar.early_fraud_warning.created",
        "payment_method.attached",
        "payment_method.automatically_updated",
        "payment_method.detached",
    }
)
# The others tell of one thing alone.
TYPE_OF_PROVIDER = {"vapi": "call_report", "twilio": "sms_status"}

# The outcome of a report that was not stored, and has to be sent again.
UNAVAILABLE = "unavailable"

FORGERIES = frozenset({"invalid_signature", "signature_out_of_time", "unauthorized"})

# When a counter was made is of no use to anybody, and would double their number.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What this process has counted, and what the database last told."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        Gauge(
            "pgwallet_build_info",
            "1, labelled with the version of the service.",
            ["version"],
            registry=self.registry,
        ).labels(__version__).set(1)
        self._requests = Counter(
            "pgwallet_http_requests",
            "HTTP requests that were answered, by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "pgwallet_refusals",
            "HTTP requests that were refused, by the code of the error.",
            ["error"],
            registry=self.registry,
        )
        self._events = Counter(
            "pgwallet_webhook_events",
            "Genuine reports of providers, by type and by what became of them.",
            ["provider", "type", "outcome"],
            registry=self.registry,
        )
        self._forgeries = Counter(
            "pgwallet_webhook_signature_failures",
            "Requests to a webhook whose signature or secret was wrong.",
            ["provider"],
            registry=self.registry,
        )
        self._calls = Histogram(
            "pgwallet_database_call_seconds",
            "How long each function of the database took, the wait for a connection included.",
            ["function"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "pgwallet_database_call_failures",
            "Calls of the database that failed, by SQLSTATE, or by the kind of error without one.",
            ["function", "reason"],
            registry=self.registry,
        )
        # The first one shall count as an increase.
        for provider in PROVIDERS.values():
            self._forgeries.labels(provider)
            self._events.labels(provider, _type_of(provider, {}), UNAVAILABLE)
        self._reading = asyncio.Lock()
        self._figures: Figures | None = None
        self._fresh_until = 0.0

    def count(self, request: web.Request, status: int) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else OTHER
        method = request.method if request.method in METHODS else OTHER
        self._requests.labels(route, method, status).inc()
        fields = request.get(LOG_FIELDS, {})
        if "error" in fields:
            self._refusals.labels(fields["error"]).inc()
        if provider := PROVIDERS.get(route):
            self._count_event(provider, status, fields)

    def _count_event(self, provider: str, status: int, fields: Mapping[str, Any]) -> None:
        if fields.get("error") in FORGERIES:
            self._forgeries.labels(provider).inc()
        elif "outcome" in fields:
            self._events.labels(provider, _type_of(provider, fields), fields["outcome"]).inc()
        elif status >= 500 and fields.get("error") != "not_configured":
            self._events.labels(provider, _type_of(provider, fields), UNAVAILABLE).inc()

    @contextmanager
    def measured(self, query: LiteralString) -> Iterator[None]:
        found = FUNCTION.search(query)
        function = found[1] if found else OTHER
        started = time.perf_counter()
        try:
            yield
        except (psycopg.Error, TimeoutError) as exc:
            self._failures.labels(function, _reason(exc)).inc()
            raise
        finally:
            self._calls.labels(function).observe(time.perf_counter() - started)

    async def read(self, database: Database) -> Figures | None:
        """The database's figures, of this moment or of one not long ago; None if it is silent."""
        async with self._reading:
            if time.monotonic() >= self._fresh_until:
                try:
                    self._figures = await database.call(
                        "select wallet.get_metrics()", seconds=TIMEOUT_SECONDS
                    )
                except (psycopg.Error, TimeoutError):
                    self._figures = None
                self._fresh_until = time.monotonic() + FRESH_SECONDS
            return self._figures


class MeasuredDatabase(Database):
    """Measures each of its calls."""

    def __init__(self, conninfo: str, *, pool_size: int, timeout: float, metrics: Metrics) -> None:
        super().__init__(conninfo, pool_size=pool_size, timeout=timeout)
        self._metrics = metrics

    async def call(self, query: LiteralString, *args: Any, seconds: float | None = None) -> Any:
        with self._metrics.measured(query):
            return await super().call(query, *args, seconds=seconds)

    async def call_as(self, claims: str, query: LiteralString, *args: Any) -> Any:
        with self._metrics.measured(query):
            return await super().call_as(claims, query, *args)


METRICS = web.AppKey("METRICS", Metrics)


def add_metrics(app: web.Application) -> None:
    app[METRICS] = Metrics()
    # Outermost, so that it sees the answer as it is sent.
    app.middlewares.insert(0, count_requests)
    app.router.add_get(METRICS_PATH, show_metrics)


@web.middleware
async def count_requests(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    response = await handler(request)
    request.app[METRICS].count(request, response.status)
    return response


async def show_metrics(request: web.Request) -> web.Response:
    """Always 200: what is down is told by a figure, not by a scrape that fails."""
    metrics = request.app[METRICS]
    gauges = CollectorRegistry()
    gauges.register(DatabaseGauges(await metrics.read(request.app[DATABASE])))
    body = generate_latest(metrics.registry) + generate_latest(gauges)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _type_of(provider: str, fields: Mapping[str, Any]) -> str:
    if provider in TYPE_OF_PROVIDER:
        return TYPE_OF_PROVIDER[provider]
    event_type: str = fields.get("eventType", OTHER)
    return event_type if event_type in STRIPE_EVENT_TYPES else OTHER


def _reason(exc: psycopg.Error | TimeoutError) -> str:
    return getattr(exc, "sqlstate", None) or type(exc).__name__
