"""`wallet run` beside what is real: whom it signs in to the wallet page, and whom not."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import psycopg
import pytest
from aiohttp import ClientSession, CookieJar

from ..http.app import listen
from ..run import ensure_service_role, wallet_url
from ..sandbox.html import origin
from ..settings import Settings
from .services import WalletProcess, open_wallet

JWT_SECRET = "s3cret-of-the-application-" + "x" * 20
STRIPE_KEY = "sk_test_of_the_application"


@asynccontextmanager
async def opened() -> AsyncIterator[ClientSession]:
    """A browser's stand-in, which keeps cookies of a machine without a name as well."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        yield client


def shown_wallet(process: WalletProcess) -> str:
    """What a run tells its reader to open."""
    process.wait_until(lambda: "Ctrl-C stops everything" in process.output)
    [line] = re.findall(r"Wallet +(\S+)", process.output)
    return str(line)


async def balance_shown(client: ClientSession, url: str) -> int:
    async with client.get(url + "api/wallet/summary") as response:
        return int((await response.json())["balance_pence"])


@pytest.fixture
def org_id(connect: Callable[..., psycopg.Connection[Any]]) -> UUID:
    return open_wallet(connect(), balance_pence=5_00)


async def test_beside_a_real_stripe_customers_are_signed_in_all_the_same(
    database: str, org_id: UUID, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": database, "STRIPE_SECRET_KEY": STRIPE_KEY, "PORT": "0"}
    with WalletProcess(tmp_path, "run", **settings) as process:
        url = shown_wallet(process)
        assert "Stripe     the test mode of STRIPE_SECRET_KEY" in process.output
        assert "no money moves" not in process.output
        assert not (tmp_path / ".pgwallet" / "sandbox_url").exists()

        async with opened() as client:
            async with client.get(url) as response:
                sign_in = str(response.url)
                assert "Organization id" in await response.text()
            async with client.get(sign_in, params={"org_id": str(org_id)}) as response:
                page = await response.text()
            [action] = re.findall(r'action="(.*?)"', page)
            form = dict(re.findall(r'type=hidden name=(\w+) value="(.*?)"', page))
            headers = {"Origin": origin(sign_in)}
            async with client.post(action, data=form, headers=headers) as response:
                assert response.status == 200
                assert str(response.url) == url + "wallet"
            assert await balance_shown(client, url) == 5_00
            async with client.get(origin(sign_in) + "/v1/customers") as response:
                assert response.status == 404
        assert process.stop() == 0
        assert form["access_token"] not in process.output


async def test_an_application_with_a_secret_of_its_own_signs_in_itself(
    database: str, org_id: UUID, tmp_path: Path
) -> None:
    settings = {
        "DATABASE_URL": database,
        "STRIPE_SECRET_KEY": STRIPE_KEY,
        "JWT_SECRET": JWT_SECRET,
        "PORT": "0",
    }
    claims = {"aud": "authenticated", "exp": int(time.time()) + 60, "sub": "zoe"}
    token = jwt.encode(claims | {"app_metadata": {"org_id": str(org_id)}}, JWT_SECRET)
    with WalletProcess(tmp_path, "run", **settings) as process:
        url = shown_wallet(process)
        assert "a token of your application" in process.output
        assert not (tmp_path / ".pgwallet" / "jwt_secret").exists()
        assert "sandbox_request" not in process.output

        async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as client:
            assert await balance_shown(client, url) == 5_00
        async with ClientSession() as client, client.get(url + "api/wallet/summary") as response:
            assert response.status == 401
        assert process.stop() == 0


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:{port}"),
        ("0.0.0.0", None, "http://127.0.0.1:{port}"),  # noqa: S104
        ("::", None, "http://[::1]:{port}"),
        ("::1", None, "http://[::1]:{port}"),
        ("127.0.0.1", "https://pay.example.com/x/", "https://pay.example.com/x"),
    ],
)
def test_what_is_opened_is_an_address_that_a_browser_can_go_to(
    host: str, public_url: str | None, expected: str
) -> None:
    settings = Settings.load(public_url=public_url)
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert wallet_url(settings, listener) == expected.format(port=port)


def test_a_login_that_an_older_version_made_gets_its_new_groups(
    database: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    connection = connect()
    connection.execute("create role old_login login in role wallet_webhook")
    try:
        for _ in range(2):
            ensure_service_role(database, "old_login")
        groups = connection.execute(
            """
            select roleid::regrole::text from pg_catalog.pg_auth_members
             where member = 'old_login'::regrole order by 1
            """
        ).fetchall()
    finally:
        connection.execute("drop role old_login")
    assert groups == [("wallet_gateway",), ("wallet_webhook",)]
