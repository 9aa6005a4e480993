"""deploy/compose.yaml, as far as that can be told without Docker: what it names is there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from ..cli import main
from ..settings import EXPECTED, Settings
from .secured import DATABASE, DEPLOY, MIGRATOR, PASSWORDS

Services = dict[str, dict[str, Any]]

# Those who run `wallet`, and the login that each has.
LOGINS = {
    "migrate": MIGRATOR,
    "service": "wallet_http",
    "worker": "wallet_jobs",
    "wallet": "wallet_operator",
}
# Set by the image, and by how it is published.
OF_THE_IMAGE = {"HOST", "PORT"}
# What somebody makes beside the file.
MADE_LATER = {".env", "userlist.txt"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> Services:
    return dict(compose["services"])


@pytest.fixture(scope="module")
def example() -> set[str]:
    """Every variable of example.env, whether it is commented out or not."""
    text = (DEPLOY / "example.env").read_text()
    return set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))


def variables(services: Services) -> set[str]:
    """Whatever Compose takes from .env."""
    text = (DEPLOY / "compose.yaml").read_text()
    handed_on = {
        name
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if value is None
    }
    return handed_on | set(re.findall(r"\$\{(\w+)", text))


def test_each_command_exists(services: Services) -> None:
    for name in LOGINS:
        for command in services[name].get("command", []):
            assert command in main.commands
    assert {name for name, service in services.items() if service.get("image") == "pgwallet"} == {
        *LOGINS
    }


def test_each_variable_is_a_setting_and_each_setting_can_be_given(
    services: Services, example: set[str]
) -> None:
    offered = {variable for name in LOGINS for variable in services[name]["environment"]}
    assert offered == set(EXPECTED) - OF_THE_IMAGE
    assert example <= variables(services)
    ours = {"POSTGRES_PASSWORD", "GRAFANA_PASSWORD", "SERVICE_DATABASE", "WALLET_PORT", *PASSWORDS}
    assert variables(services) <= {*EXPECTED, *ours}
    assert ours <= example


def test_each_process_has_its_own_login_and_no_other_secret(services: Services) -> None:
    for name, login in LOGINS.items():
        url = services[name]["environment"]["DATABASE_URL"]
        given = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", re.sub(r"\$\{\w+:\?\}", "0123456789abcdef", url))
        settings = Settings.load(_env_file=None, database_url=given)
        assert settings.database_url is not None
        parameters = conninfo_to_dict(settings.database_url.get_secret_value())
        assert (parameters["user"], parameters["dbname"]) == (login, DATABASE)
        [password] = re.findall(r"\$\{(\w+):\?\}", url)
        assert password == f"{login.upper()}_PASSWORD"
    secrets = {name: set(services[name]["environment"]) for name in LOGINS}
    assert "STRIPE_WEBHOOK_SECRET" not in secrets["worker"]
    assert not secrets["service"] & {"ALERT_WEBHOOK_SECRET", "SLACK_WEBHOOK_URL", "VAPI_API_KEY"}
    assert secrets["migrate"] == {"DATABASE_URL"}


def test_the_order_of_a_start(services: Services) -> None:
    def waits_for(name: str) -> dict[str, str]:
        return {
            other: wait["condition"].removeprefix("service_")
            for other, wait in services[name].get("depends_on", {}).items()
        }

    assert waits_for("migrate") == {"postgres": "healthy"}
    assert waits_for("logins") == {"migrate": "completed_successfully"}
    for name in ("service", "worker", "wallet"):
        assert waits_for(name) == {"logins": "completed_successfully"}
    for name in ("migrate", "logins"):
        assert services[name]["restart"] == "no"
    for name in ("postgres", "service", "worker"):
        assert services[name]["restart"] == "unless-stopped"


def test_nothing_but_the_service_is_published_and_that_to_this_machine(services: Services) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.pop("service") == ["127.0.0.1:${WALLET_PORT:-8080}:8080"]
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "postgres" not in published


def test_a_process_may_write_nothing_and_has_time_to_stop(services: Services) -> None:
    shutdown = Settings.model_fields["shutdown_timeout_seconds"].default
    for name in LOGINS:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    for name in ("service", "worker"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) >= shutdown + 5
    # The image's check asks the HTTP service, which the others are not.
    assert [name for name in LOGINS if "healthcheck" not in services[name]] == ["service"]


def test_each_image_has_a_tag_and_no_registry(services: Services) -> None:
    for name, service in services.items():
        if "build" not in service:
            repository, _, tag = service["image"].partition(":")
            assert re.search(r"\d", tag), name
            assert "." not in repository.partition("/")[0], name
    assert services["logins"]["image"] == services["postgres"]["image"]


def test_prometheus_watches_each_service_by_the_rules_of_the_example(
    compose: dict[str, Any], services: Services
) -> None:
    watched = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    example = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    [scraped], [shown] = watched["scrape_configs"], example["scrape_configs"]
    for key in ("job_name", "scrape_interval", "scrape_timeout"):
        assert scraped[key] == shown[key]
    assert scraped["dns_sd_configs"] == [{"names": ["service"], "type": "A", "port": 8080}]
    assert watched["rule_files"] == example["rule_files"]
    for name in ("prometheus", "grafana"):
        for config in services[name]["configs"]:
            assert yaml.safe_load(compose["configs"][config["source"]]["content"])


def test_each_file_that_is_mounted_exists(services: Services) -> None:
    mounted = [
        volume.split(":")
        for service in services.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounted
    for path, _target, mode in mounted:
        assert mode == "ro"
        assert path.removeprefix("./") in MADE_LATER or (DEPLOY / path).exists(), path
    ignored = (DEPLOY / ".gitignore").read_text().split()
    assert set(ignored) == MADE_LATER


def test_the_logins_are_made_by_the_files_that_the_tests_run(services: Services) -> None:
    assert services["logins"]["entrypoint"][-1] == "--file=/create_logins.sql"
    assert "./create_logins.sql:/create_logins.sql:ro" in services["logins"]["volumes"]
    assert services["logins"]["environment"]["PGUSER"] == MIGRATOR
    [mounted] = [each for each in services["postgres"]["volumes"] if "migrator" in each]
    assert mounted.split(":")[1] == "/docker-entrypoint-initdb.d/create_migrator.sql"
    assert services["postgres"]["environment"]["POSTGRES_DB"] == DATABASE
