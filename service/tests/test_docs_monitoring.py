"""What the documentation tells those who watch over the wallet."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
import yaml

from ..http.gauges import GAUGES
from ..http.metrics import Metrics
from ..http.operator import ROUTES
from .docs import GLOBEX, TOKEN, Connection, call, codes, sources, table
from .docs_examples import Comparison, examples, read, read_curl
from .services import running_service
from .test_docs_examples import PREPARATIONS

PAGE = "docs/monitoring.md"


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


async def test_the_requests_of_an_operator(database: str, connection: Connection) -> None:
    PREPARATIONS[PAGE](connection)
    found = [example for example in examples(PAGE, "sh") if "$API_TOKEN" in example.code]
    comparison = Comparison("".join(example.code for example in found))
    async with running_service(database, api_token=TOKEN) as service:
        for example in found:
            request = read_curl(example.code, TOKEN)
            if "replay" in request.path:
                call(connection, "create_wallet", GLOBEX)
            async with service.client.request(
                request.method,
                service.url + request.path,
                data=request.body,
                headers=request.headers,
            ) as response:
                assert response.status == HTTPStatus.OK, example.place
                comparison.check(example, await response.text())


def test_each_request_of_an_operator_is_documented() -> None:
    documented = {code.partition("?")[0] for code in codes(table(PAGE, "Ask the service"))}
    assert documented == {f"{route.method} {route.path}" for route in ROUTES} | {"GET /health"}


def test_each_reason_of_the_queues_health_is_documented() -> None:
    text = sources("db/functions/reporting", "get_webhook_queue_health.sql")
    rules = re.findall(r"\('([a-z_]+)', (true|false), ", text)
    assert rules
    levels = {"true": "critical", "false": "degraded"}
    documented = {
        (reason, *codes([row], 1))
        for row in table(PAGE, "Ask the service", 1)
        for reason in codes([row])
    }
    assert documented == {(reason, levels[critical]) for reason, critical in rules}


def test_each_metric_is_documented_with_its_labels() -> None:
    counted = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in Metrics().registry.collect()
    }
    assert set(codes(table(PAGE, "Metrics"))) == counted

    read = {"pgwallet_database_up": None} | {gauge.name: gauge.label for gauge in GAUGES}
    documented = {
        name: next(iter(codes([row], 1)), None)
        for row in table(PAGE, "Metrics", 1)
        for name in codes([row])
    }
    assert documented == read


def test_each_alert_rule_has_a_runbook() -> None:
    groups = yaml.safe_load(read("deploy/prometheus/alerts.yml"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    names = [rule["alert"] for rule in rules]
    assert re.findall(r"^### (\w+)$", read("docs/runbooks.md"), re.MULTILINE) == names
    for rule in rules:
        assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{rule['alert'].lower()}"

    listed = {
        (severity, name)
        for row in table(PAGE, "Alert rules")
        for severity in codes([row])
        for name in re.findall(r"runbooks\.md#(\w+)", row[1])
    }
    assert listed == {(rule["labels"]["severity"], rule["alert"].lower()) for rule in rules}


def test_the_queries_of_the_runbooks_run(connection: Connection) -> None:
    queries = re.findall(r"`(select [^`]+)`", read("docs/runbooks.md"))
    assert queries
    for query in queries:
        connection.execute(query.encode())
