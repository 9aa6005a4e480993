"""The API's description as the tests read it: resolved, closed, and held against answers."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs
from aiohttp import ClientResponse, ClientSession

from ..http.description import read_description
from .services import Service

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
COMPONENT = "#/components/"

# Of every operation, and brought about by none of the tests: a fault, and what isn't even HTTP.
NOT_ASKED_FOR = {"#/components/responses/Fault", "#/components/responses/Malformed"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    path: str
    method: str
    content: Json

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


class Description:
    """A document of OpenAPI. Read as `closed`, no answer may have a key that isn't in it."""

    def __init__(self, *, closed: bool = False) -> None:
        self.document = read_description()
        if closed:
            self.document = closed_document(self.document)

    def operations(self) -> list[Operation]:
        return [
            Operation(path, method, content)
            for path, item in self.document["paths"].items()
            for method, content in item.items()
            if method in METHODS
        ]

    def resolve(self, value: Json) -> Json:
        while "$ref" in value and value["$ref"].startswith(COMPONENT):
            _components, kind, name = value["$ref"].removeprefix("#/").split("/")
            value = self.document["components"][kind][name]
        return value

    def response(self, operation: Operation, status: int) -> Json:
        """What is said of this status; raises KeyError where nothing is."""
        return self.resolve(operation.content["responses"][str(status)])

    def errors_in(self, schema: Json, value: Any) -> list[str]:
        """What is wrong with a value, formats of times and ids included."""
        whole = {**schema, "components": self.document["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return [error.message for error in validator.iter_errors(value)]

    def media_types(self) -> Iterator[tuple[str, Json]]:
        """Every kind of body that is sent or answered, with the place where it stands."""
        for operation in self.operations():
            body = operation.content.get("requestBody", {})
            for kind, media in body.get("content", {}).items():
                yield f"{operation} takes {kind}", media
            for status in operation.content["responses"]:
                for kind, media in self.response(operation, status).get("content", {}).items():
                    yield f"{operation} answers {status} {kind}", media

    def schemas(self) -> Iterator[Json]:
        """Every schema, and every one within it."""
        for media in (media for _place, media in self.media_types()):
            yield from _schemas_within(media["schema"])
        for operation in self.operations():
            for parameter in operation.content.get("parameters", []):
                yield from _schemas_within(parameter["schema"])
        for schema in self.document["components"]["schemas"].values():
            yield from _schemas_within(schema)

    def error_codes(self) -> set[str]:
        found = set()
        for schema in self.schemas():
            error = schema.get("properties", {}).get("error", {})
            found |= {error["const"]} if "const" in error else set(error.get("enum", []))
        return found


@dataclass
class Conversation:
    """Asks the service, and holds each answer against the description."""

    client: ClientSession
    description: Description
    seen: set[tuple[str, str]] = field(default_factory=set)

    async def ask(self, service: Service, expected: int, name: str, **request: Any) -> Any:
        """The answer of the operation with this name; `ids` go into its path."""
        [operation] = [
            each for each in self.description.operations() if each.content["operationId"] == name
        ]
        path = operation.path.format(**request.pop("ids", {}))
        if isinstance(body := request.get("data"), bytes):
            request["data"] = io.BytesIO(body)
        async with self.client.request(
            operation.method, service.url + path, allow_redirects=False, **request
        ) as response:
            assert response.status == expected, (name, await response.text())
            return await self._hold(operation, response)

    async def _hold(self, operation: Operation, response: ClientResponse) -> Any:
        described = self.description.response(operation, response.status)
        self.seen.add((operation.content["operationId"], str(response.status)))
        for header, said in described.get("headers", {}).items():
            schema = self.description.resolve(said)["schema"]
            assert not self.description.errors_in(schema, response.headers[header])
        if "content" not in described:
            assert await response.read() == b""
            return None
        media = described["content"][response.content_type]
        if response.content_type == "application/json":
            answer: Any = await response.json()
        elif response.content_type == "text/event-stream":
            answer = dict(
                line.split(": ", 1) for line in (await response.text()).split("\n") if line
            )
        else:
            answer = await response.text()
        assert not self.description.errors_in(media["schema"], answer), (operation, answer)
        return answer

    def unseen(self) -> set[tuple[str, str]]:
        promised = {
            (each.content["operationId"], status)
            for each in self.description.operations()
            for status, response in each.content["responses"].items()
            if response.get("$ref") not in NOT_ASKED_FOR
        }
        return promised - self.seen


def closed_document(document: Json) -> Json:
    """The same, where no object has other keys than those that are named."""
    document = copy.deepcopy(document)
    for part in (document["paths"], document["components"]):
        _close(part)
    return document


def _close(value: Any) -> None:
    if isinstance(value, list):
        for each in value:
            _close(each)
    elif isinstance(value, dict):
        for each in value.values():
            _close(each)
        if isinstance(value.get("properties"), dict) and value.get("type") == "object":
            value.setdefault("additionalProperties", False)


def _schemas_within(schema: Mapping[str, Any]) -> Iterator[Json]:
    yield dict(schema)
    inner = list(schema.get("properties", {}).values())
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(key), dict):
            inner.append(schema[key])
    for key in ("oneOf", "anyOf", "allOf"):
        inner += schema.get(key, [])
    for each in inner:
        yield from _schemas_within(each)
