"""The files of deploy/ for Prometheus and Grafana fit the service that they watch."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import yaml

from ..http.metrics import METRICS_PATH
from ..sandbox import events
from .docs_examples import ROOT
from .services import Service, running_service

METRIC = re.compile(r"\bpgwallet_[a-z_]+\b")
PAIRS = {")": "(", "}": "{", "]": "["}


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with running_service(database) as service:
        yield service


def rules() -> list[dict[str, Any]]:
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    return [rule for group in alerts["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Every query, with the name of the alert or panel that asks it."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


async def exported(service: Service) -> tuple[str, set[str]]:
    """What is told, and the names of the series in it, or that may come."""
    async with service.client.get(service.url + METRICS_PATH) as response:
        text = await response.text()
    names = set()
    for name, kind in re.findall(r"# TYPE (\S+) (\S+)", text):
        names |= {f"{name}_bucket", f"{name}_count"} if kind == "histogram" else {name}
    return text, names


async def test_what_the_alerts_and_the_dashboard_ask_for_is_told(service: Service) -> None:
    _, names = await exported(service)
    asked = {name for _, expression in expressions() for name in METRIC.findall(expression)}
    assert len(asked) > 20
    assert asked - names == set()


async def test_what_is_told_is_asked_for(service: Service) -> None:
    _, names = await exported(service)
    asked = {name for _, expression in expressions() for name in METRIC.findall(expression)}
    assert names - asked == {"pgwallet_build_info"}


async def test_labels_that_are_asked_for_have_these_values(service: Service) -> None:
    await service.deliver(events.invoice_paid(1))
    text, _ = await exported(service)
    asked = {
        (name, label, value)
        for _, expression in expressions()
        for name, matchers in re.findall(r"(pgwallet_[a-z_]+)\{([^}]*)\}", expression)
        for label, value in re.findall(r'(\w+)="(\w+)"', matchers)
    }
    assert {value for _, _, value in asked} == {
        "unresolved",
        "declined",
        "succeeded",
        "billed",
        "unavailable",
        "stripe",
    }
    for name, label, value in asked:
        assert re.search(rf'^{name}\{{[^}}]*\b{label}="{value}"', text, re.MULTILINE), name


@pytest.mark.parametrize(("name", "expression"), list(expressions()))
def test_every_bracket_is_closed(name: str, expression: str) -> None:
    opened: list[str] = []
    for character in re.sub(r'"[^"]*"', "", expression):
        if character in PAIRS.values():
            opened.append(character)
        elif character in PAIRS:
            assert opened, f"{name}: {expression}"
            assert opened.pop() == PAIRS[character], f"{name}: {expression}"
    assert opened == [], f"{name}: {expression}"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}


def test_no_name_is_used_twice() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    titles = [panel["title"] for panel in panels()]
    assert len(set(titles)) == len(titles)


def test_the_example_of_a_scrape_is_of_this_service() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    [scrape] = config["scrape_configs"]
    # Its job is what an alert asks for, and its path Prometheus's own.
    assert f'up{{job="{scrape["job_name"]}"}}' in {
        rule["expr"].partition(" ==")[0] for rule in rules()
    }
    assert scrape.get("metrics_path", "/metrics") == METRICS_PATH
    assert scrape["scrape_timeout"] == "5s"


def test_the_dashboard_can_be_imported_anywhere() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
    assert dashboard["schemaVersion"] >= 39
    assert "id" not in dashboard
    [variable] = dashboard["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    of_choice = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    for panel in panels():
        assert panel["datasource"] == of_choice
        assert {"gridPos", "fieldConfig", "options"} <= panel.keys()
        for target in panel["targets"]:
            assert target["datasource"] == of_choice
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
