"""The API's description: whole, valid, true to the sources, and served."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import jsonschema_rs
import psycopg
import pytest
import schemathesis
from aiohttp import ClientSession

from .. import __version__
from ..http.app import create_app
from ..http.description import PATH, read_description
from ..http.outcomes import SETTLED
from ..settings import ServiceSettings
from .docs import domain_values, sources
from .openapi import COMPONENT, Description
from .services import WHSEC, Service, running_service

DESCRIPTION = Description()

OUTCOMES = ("StripeOutcome", "CallOutcome", "SmsOutcome", "Replayed")

# Sent by the HTTP library, whose reason becomes the code.
OF_THE_LIBRARY = {"not_found"}


def test_it_describes_every_route_and_nothing_else() -> None:
    settings = ServiceSettings.load(
        database_url="postgresql://nobody@localhost/nothing", stripe_webhook_secret=WHSEC
    )
    routes = {
        (route.resource.canonical, route.method.lower())
        for route in create_app(settings).router.routes()
        if route.resource and route.method != "HEAD"
    }
    assert {(each.path, each.method) for each in DESCRIPTION.operations()} == routes


def test_it_is_valid() -> None:
    schemathesis.openapi.from_dict(DESCRIPTION.document).validate()
    for schema in DESCRIPTION.schemas():
        jsonschema_rs.meta.validate(schema)


def test_every_reference_has_its_component_and_every_component_its_use() -> None:
    used = set(re.findall(rf'"{COMPONENT}(\w+/\w+)"', json.dumps(DESCRIPTION.document)))
    components = DESCRIPTION.document["components"]
    used |= {
        f"securitySchemes/{name}"
        for each in DESCRIPTION.operations()
        for requirement in each.content["security"]
        for name in requirement
    }
    assert used == {f"{kind}/{name}" for kind, named in components.items() for name in named}


def test_every_operation_says_what_it_is() -> None:
    names = Counter(each.content["operationId"] for each in DESCRIPTION.operations())
    assert set(names.values()) == {1}
    tags = {tag["name"] for tag in DESCRIPTION.document["tags"]}
    for each in DESCRIPTION.operations():
        assert each.content["summary"], each
        assert set(each.content["tags"]) <= tags, each
        for parameter in each.content.get("parameters", []):
            assert "description" in parameter or "example" in parameter, each


def test_every_example_fits_its_schema() -> None:
    for place, media in DESCRIPTION.media_types():
        examples = [each["value"] for each in media.get("examples", {}).values()]
        if "example" in media:
            examples.append(media["example"])
        assert examples or "html" in place or "assets" in place or PATH in place, place
        for example in examples:
            assert not DESCRIPTION.errors_in(media["schema"], example), place


def test_every_failure_is_described_with_its_codes() -> None:
    for each in DESCRIPTION.operations():
        for status in each.content["responses"]:
            if int(status) >= 400 and (each.path, status) != ("/health", "503"):
                assert "application/json" in DESCRIPTION.response(each, int(status))["content"]


def test_every_error_code_is_one_of_the_sources() -> None:
    text = sources("service/http", "*.py") + sources("db/functions", "*/*.sql")
    for code in DESCRIPTION.error_codes() - OF_THE_LIBRARY:
        assert re.search(rf"""["']{code}["']""", text), code


def test_every_error_of_the_service_is_described() -> None:
    text = sources("service/http", "*.py")
    codes = set(re.findall(r'Refusal\(\s*\d+,\s*"(\w+)"', text))
    codes |= set(re.findall(r'error_response\(\w+, "(\w+)"', text))
    codes |= set(re.findall(r'(?:misuse|unreadable)_error="(\w+)"', text))
    assert len(codes) > 20
    assert codes <= DESCRIPTION.error_codes()


@pytest.mark.parametrize(
    ("domain", "schema", "key"),
    [
        ("topup_status", "Topup", "status"),
        ("topup_kind", "Topup", "kind"),
        ("recharge_state", "QueueStats", "recharges"),
    ],
)
def test_its_words_are_those_of_the_database(
    database: str, domain: str, schema: str, key: str
) -> None:
    described = DESCRIPTION.document["components"]["schemas"][schema]["properties"][key]
    with psycopg.connect(database) as connection:
        words = domain_values(connection, domain)
    assert set(described.get("enum") or described["properties"]) == words


def test_its_entry_types_are_those_of_the_ledger(database: str) -> None:
    with psycopg.connect(database) as connection:
        [(check,)] = connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint"
            " where contypid = 'wallet.entry_kind'::regtype"
        ).fetchall()
    described = DESCRIPTION.document["components"]["schemas"]["EntryType"]["enum"]
    assert set(described) == set(re.findall(r"'(\w+) \w+'", check))


def test_its_outcomes_are_those_of_the_service() -> None:
    schemas = DESCRIPTION.document["components"]["schemas"]
    outcomes = [schemas[name]["properties"]["outcome"]["enum"] for name in OUTCOMES]
    assert {word for each in outcomes for word in each} == SETTLED


def test_money_is_whole_and_has_64_bits() -> None:
    found = 0
    for schema in DESCRIPTION.schemas():
        for name, described in schema.get("properties", {}).items():
            if re.search(r"_(pence|cents)$", name):
                found += 1
                described = described.get("items", described)
                kinds = [DESCRIPTION.resolve(each) for each in described.get("oneOf", [described])]
                for kind in kinds:
                    assert set(types_of(kind)) <= {"integer", "null"}, name
                    assert kind["type"] == "null" or kind["format"] == "int64", name
    assert found > 40


def types_of(schema: dict[str, Any]) -> list[str]:
    described = schema["type"]
    return described if isinstance(described, list) else [described]


async def test_it_is_served(database: str) -> None:
    async with running_service(database) as service:
        document, etag = await fetch(service)
        assert document == read_description()
        assert document["info"]["version"] == __version__

        async with service.client.get(
            service.url + PATH, headers={"If-None-Match": etag}
        ) as response:
            assert (response.status, await response.read()) == (304, b"")
            assert response.headers["ETag"] == etag


async def test_it_names_the_address_that_it_is_reached_at(database: str) -> None:
    async with running_service(database, public_url="https://pay.example.com/billing") as service:
        document, _etag = await fetch(service)
    assert document["servers"] == [{"url": "https://pay.example.com/billing"}]


async def fetch(service: Service) -> tuple[dict[str, Any], str]:
    async with ClientSession() as client, client.get(service.url + PATH) as response:
        assert response.content_type == "application/json"
        return await response.json(), response.headers["ETag"]
