"""Two organizations on one service: neither reads, changes or learns anything of the other's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from structlog.testing import capture_logs

from ..http.app import ROUTES, WALLET_PATH
from ..http.tenants import PRIVATE_HEADERS
from .canaries import Secrets, mark, read_secrets
from .catalog import owned_columns, owner_of, table_name
from .organizations import fill
from .sandboxes import KEY, running_test_sandbox
from .services import Service
from .tenants import JWT_SECRET, Customer, customer_of, make_token, running_wallet_service

Connection = psycopg.Connection[Any]

# The marks in the other's ledger break its chain of hashes.
pytestmark = pytest.mark.broken_books


@dataclass(frozen=True)
class Neighbours:
    """Me, and somebody whose every text is marked."""

    service: Service
    mine: UUID
    theirs: UUID
    their_topup: str
    secrets: Secrets

    @property
    def me(self) -> Customer:
        return customer_of(self.service, self.mine)

    @property
    def them(self) -> Customer:
        return customer_of(self.service, self.theirs)


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
async def neighbours(database: str, connection: Connection) -> AsyncIterator[Neighbours]:
    mine, theirs = fill(connection, "acme", 12_34), fill(connection, "globex", 91_377_310)
    mark(connection, theirs)
    [(topup_id,)] = connection.execute(
        "select id::text from wallet.topups where org_id = %s and checkout_url is not null limit 1",
        [theirs],
    ).fetchall()
    # As the sandbox knows nobody of these.
    connection.execute("update wallet.organizations set stripe_customer_id = null")
    secrets = read_secrets(connection, theirs)
    async with (
        running_test_sandbox() as sandbox,
        running_wallet_service(
            database, stripe_secret_key=KEY, stripe_api_base=sandbox.url
        ) as service,
    ):
        yield Neighbours(service, mine, theirs, topup_id, secrets)


def requests_of(neighbours: Neighbours) -> dict[str, list[tuple[str, str, Any]]]:
    """What I may ask at each route, and with it whatever could be another's."""
    theirs, topup = neighbours.theirs, neighbours.their_topup
    today = datetime.now(UTC).date()
    return {
        "GET /summary": [("GET", "/summary", None)],
        "GET /transactions": [("GET", "/transactions", None)],
        "GET /transactions.csv": [("GET", "/transactions.csv", None)],
        "GET /history": [("GET", f"/history?from={today}&to={today}", None)],
        "GET /topup-options": [("GET", "/topup-options", None)],
        "GET /quote": [("GET", "/quote?usd_cents=2500", None)],
        "GET /topups/{topup_id}": [("GET", f"/topups/{topup}", None)],
        "GET /topups/{topup_id}/events": [("GET", f"/topups/{topup}/events", None)],
        "GET /auto-recharge": [("GET", "/auto-recharge", None)],
        "PUT /auto-recharge": [
            ("PUT", "/auto-recharge", {"enabled": False, "threshold_pence": 8_88}),
            ("PUT", "/auto-recharge", {"enabled": True, "org_id": str(theirs)}),
        ],
        "POST /topups": [
            ("POST", "/topups", {"amount_pence": 25_00}),
            ("POST", "/topups", {"amount_pence": 25_00, "org_id": str(theirs)}),
        ],
    }


def snapshot(connection: Connection, org_id: UUID) -> dict[str, Any]:
    """All that there is of an organization."""
    return {
        table: connection.execute(
            SQL("select to_jsonb(t) from {} as t where {} = %s order by 1").format(
                table_name(table), Identifier(owner_of(table))
            ),
            [org_id],
        ).fetchall()
        for table in sorted({column.table for column in owned_columns(connection)})
    }


async def test_no_route_tells_or_changes_anything_of_another_organization(
    neighbours: Neighbours, connection: Connection
) -> None:
    requests = requests_of(neighbours)
    served = {
        f"{route.method} {route.path.removeprefix(WALLET_PATH)}"
        for route in ROUTES
        if route.path.startswith(WALLET_PATH)
    }
    assert served == set(requests), "every route of the wallet has to be tried here"

    before = snapshot(connection, neighbours.theirs)
    seen = set()
    for route, attempts in requests.items():
        for method, path, body in attempts:
            async with neighbours.me.request(method, path, json=body) as response:
                assert response.status in (200, 400, 404), path
                told = await response.text()
            asked = [path, body]
            assert not neighbours.secrets.found_in(told, asked), (method, path)
            assert str(neighbours.theirs) not in told, (method, path)
            if neighbours.their_topup in path:
                assert json.loads(told)["error"] == "topup_not_found"
            if method == "GET" and not path.endswith("/events"):
                async with neighbours.them.request(method, path) as response:
                    told = await response.text()
                if neighbours.secrets.found_in(told, asked):
                    seen.add(route)
    assert snapshot(connection, neighbours.theirs) == before
    assert seen >= {
        *("GET /summary", "GET /transactions", "GET /transactions.csv", "GET /history"),
        *("GET /topups/{topup_id}", "GET /auto-recharge"),
    }, "the test would not see it"


async def test_a_topup_of_another_is_as_unknown_as_one_that_there_never_was(
    neighbours: Neighbours,
) -> None:
    for path in ("/topups/{}", "/topups/{}/events"):
        told = []
        for topup_id in (neighbours.their_topup, str(uuid4())):
            answer = await neighbours.me.get(path.format(topup_id))
            told.append((answer.status, json.dumps(answer.body).replace(topup_id, "")))
        assert told[0] == told[1]


async def test_the_organization_of_a_request_is_nowhere_but_in_the_token(
    neighbours: Neighbours,
) -> None:
    theirs = str(neighbours.theirs)
    for headers in (
        {"X-Org-Id": theirs},
        {"X-Organization": theirs},
        {"request.jwt.claims": json.dumps({"app_metadata": {"org_id": theirs}})},
        {"Prefer": f"org_id={theirs}"},
    ):
        answer = await neighbours.me.ask("GET", "/summary", headers=headers)
        assert answer.body["org_id"] == str(neighbours.mine)
    # Claims that look like more than they are.
    token = make_token(
        neighbours.mine,
        org_id=theirs,
        user_metadata={"org_id": theirs},
        sub=f"x','{theirs}",
        email='"}, "app_metadata": {"org_id": "' + theirs + '"}, {"',
    )
    answer = await Customer(neighbours.service, token).get("/summary")
    assert answer.body["org_id"] == str(neighbours.mine)


async def test_a_customer_calls_no_function_but_those_of_the_routes(neighbours: Neighbours) -> None:
    for method in ("GET", "POST"):
        for path in (
            "/rpc/add_wallet_credits",
            "/deduct_call_credits",
            "/../webhooks/stripe/x",
            "/topups/attach_checkout_session/x",
        ):
            assert (await neighbours.me.ask(method, path)).status in (400, 404), path
    # Operators have a token of another kind.
    for path in ("/api/webhook-metrics/queue-health", "/api/monitoring/queue-stats"):
        async with neighbours.service.client.get(
            neighbours.service.url + path,
            headers={"Authorization": f"Bearer {neighbours.me.token}"},
        ) as response:
            assert response.status in (401, 503)


async def test_many_requests_of_both_at_once_are_answered_to_each_their_own(
    neighbours: Neighbours,
) -> None:
    answers = await asyncio.gather(
        *(who.get("/summary") for _ in range(25) for who in (neighbours.me, neighbours.them))
    )
    assert [answer.body["org_id"] for answer in answers] == [
        *(str(neighbours.mine), str(neighbours.theirs)) * 25
    ]


async def test_no_cache_keeps_any_answer_and_no_log_line_has_a_claim(
    neighbours: Neighbours,
) -> None:
    with capture_logs() as logs:
        for attempts in requests_of(neighbours).values():
            for method, path, body in attempts:
                for customer in (
                    neighbours.me,
                    Customer(neighbours.service, "hunter2"),
                    Customer(neighbours.service, neighbours.me.token, by_cookie=True),
                ):
                    async with customer.request(method, path, json=body) as response:
                        assert PRIVATE_HEADERS.items() <= dict(response.headers).items(), path
                        await response.read()
    lines = [line for line in logs if line["event"] == "request"]
    assert {line.get("orgId") for line in lines if line["status"] != 401} == {str(neighbours.mine)}
    assert {line.get("orgId") for line in lines if line["status"] == 401} == {None}
    for hidden in (JWT_SECRET, "zoe@example.com", "hunter2", neighbours.me.token.split(".")[2]):
        assert hidden not in str(logs)
