"""What the database tells at a scrape, as gauges for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily

Figures = Mapping[str, Any]  # what wallet.get_metrics() answers


class Gauge(NamedTuple):
    name: str
    help: str
    key: str  # of the figure
    label: str | None = None  # where there is a figure for each of its values
    of: str | None = None  # where the figure is one of several in an object
    scale: float = 1
    if_none: float | None = None  # for what is null


GAUGES = (
    Gauge(
        "pgwallet_failed_events",
        "Stripe events that failed and wait for redelivery or replay.",
        "events_failed",
    ),
    Gauge(
        "pgwallet_oldest_failed_event_seconds",
        "How long ago the oldest of them was received; 0 without one.",
        "oldest_failed_seconds",
        if_none=0,
    ),
    Gauge(
        "pgwallet_pending_events",
        "Stripe events that are noted and wait for another one.",
        "events_pending",
    ),
    Gauge(
        "pgwallet_outbox_pending_messages",
        "Messages that wait to be delivered.",
        "messages_pending",
    ),
    Gauge(
        "pgwallet_outbox_due_messages",
        "Messages that a worker should take now.",
        "messages_due",
    ),
    Gauge(
        "pgwallet_outbox_dead_messages",
        "Messages that were given up and wait for a replay.",
        "messages_dead",
    ),
    Gauge(
        "pgwallet_outbox_oldest_pending_seconds",
        "How long ago the oldest pending message was written; 0 without one.",
        "oldest_pending_seconds",
        if_none=0,
    ),
    Gauge(
        "pgwallet_workers_alive",
        "Workers that gave a sign of life within the last minute.",
        "workers_alive",
    ),
    Gauge(
        "pgwallet_recharge_attempts",
        "Automatic recharges that are open, and those that ended in the last 24 hours, by state.",
        "recharges",
        label="state",
    ),
    Gauge(
        "pgwallet_unbilled_calls",
        "Calls that were told and could not be billed.",
        "calls_unbilled",
    ),
    Gauge(
        "pgwallet_oldest_unbilled_call_seconds",
        "How long ago the oldest of them was told; 0 without one.",
        "oldest_unbilled_seconds",
        if_none=0,
    ),
    Gauge(
        "pgwallet_calls_last_hour",
        "Calls of the last hour that are charged in full, still owe, or could not be billed.",
        "calls_last_hour",
        label="outcome",
    ),
    Gauge(
        "pgwallet_billing_success_ratio",
        "Share of the calls of the last hour that is charged in full; none without a call.",
        "billing_success_percent",
        scale=0.01,
    ),
    Gauge(
        "pgwallet_webhook_reliability_ratio",
        "Share of the calls of the last reconciled day that was known without reconciliation;"
        " none if no day of the last seven was reconciled and had a call.",
        "reliability_percent",
        scale=0.01,
    ),
    Gauge(
        "pgwallet_due_reconciliations",
        "Days of calls that a worker should compare with Vapi's list now.",
        "reconciliations_due",
    ),
    Gauge(
        "pgwallet_overdue_reconciliations",
        "Days of calls that have been due for more than six hours.",
        "reconciliations_overdue",
    ),
    Gauge(
        "pgwallet_lapsed_reservations",
        "Reservations that are past their time and still hold money.",
        "reservations_lapsed",
    ),
    Gauge(
        "pgwallet_frozen_wallets",
        "Wallets that are frozen.",
        "wallets_frozen",
    ),
    Gauge(
        "pgwallet_consistency_check_timestamp_seconds",
        "When the books were last checked; 0 if never.",
        "finished_at",
        of="last_consistency_check",
        if_none=0,
    ),
    Gauge(
        "pgwallet_consistency_check_duration_seconds",
        "How long the last check of the books took.",
        "seconds",
        of="last_consistency_check",
    ),
    Gauge(
        "pgwallet_consistency_check_wallets",
        "Wallets that the last check of the books covered.",
        "wallets",
        of="last_consistency_check",
    ),
    Gauge(
        "pgwallet_consistency_check_problems",
        "Problems that the last check of the books found; 0 if there was none.",
        "problems",
        of="last_consistency_check",
        if_none=0,
    ),
)


class DatabaseGauges:
    """A collector for one scrape; without figures the database is down."""

    def __init__(self, figures: Figures | None) -> None:
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily(
            "pgwallet_database_up",
            "Whether the database has answered this scrape.",
            value=int(self._figures is not None),
        )
        for gauge in GAUGES:
            yield _family(gauge, self._figures)


def _family(gauge: Gauge, figures: Figures | None) -> GaugeMetricFamily:
    """Without a sample where the database is silent: an old figure would pass for today's."""
    labels = [gauge.label] if gauge.label else []
    family = GaugeMetricFamily(gauge.name, gauge.help, labels=labels)
    if figures is None:
        return family
    if gauge.of:
        figures = figures.get(gauge.of) or {}
    figure = figures.get(gauge.key)
    if gauge.label:
        for value, each in sorted((figure or {}).items()):
            family.add_metric([value], each)
    elif figure is not None:
        family.add_metric([], _number(figure) * gauge.scale)
    elif gauge.if_none is not None:
        family.add_metric([], gauge.if_none)
    return family


def _number(figure: Any) -> float:
    return datetime.fromisoformat(figure).timestamp() if isinstance(figure, str) else float(figure)
