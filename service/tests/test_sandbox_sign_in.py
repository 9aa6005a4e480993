"""The sandbox as the application around the wallet page: whom it signs in, and for whom not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from aiohttp import ClientSession
from yarl import URL

from ..http.app import listen
from ..sandbox.app import running_host, running_sandbox
from ..sandbox.sign_in import SIGN_IN_PATH, HostApplication
from .sandboxes import RunningSandbox, connected, session_params

SECRET = "s3cret-of-the-tests-" + "x" * 20
SERVICE = "http://127.0.0.1:8080/pay"
ORG_ID = uuid4()

HOST = HostApplication(SERVICE, SECRET, "customers", "https://auth.example.com", ORG_ID)
ASKING_HOST = HostApplication(SERVICE, SECRET, "customers")


@asynccontextmanager
async def opened(host: HostApplication) -> AsyncIterator[ClientSession]:
    """A browser's stand-in at the page to sign in on."""
    with listen("127.0.0.1", 0) as listener:
        async with running_host(host, listener) as url, ClientSession(url) as client:
            yield client


async def read(client: ClientSession, **query: str) -> tuple[str, str]:
    """The page, and the policy that it comes with."""
    async with client.get(URL(SIGN_IN_PATH).with_query(query)) as response:
        assert response.status == 200
        return await response.text(), response.headers["Content-Security-Policy"]


def fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type=hidden name=(\w+) value="(.*?)">', page)
    return {name: unescape(value) for name, value in found}


def claims(page: str, **options: Any) -> dict[str, Any]:
    token = fields(page)["access_token"]
    return jwt.decode(token, SECRET, algorithms=["HS256"], audience="customers", **options)


async def test_the_page_hands_a_token_to_the_service_and_to_nobody_else() -> None:
    async with opened(HOST) as client:
        page, policy = await read(client, return_to="/wallet?topup_id=1&checkout=success")

    assert f'<form method=post action="{SERVICE}/wallet/session">' in page
    assert fields(page)["return_to"] == "/wallet?topup_id=1&checkout=success"
    told = claims(page, issuer="https://auth.example.com", options={"require": ["exp", "sub"]})
    assert told["app_metadata"] == {"org_id": str(ORG_ID)}
    assert (told["role"], told["exp"] - told["iat"]) == ("authenticated", 3600)
    assert "@" in told["email"]

    [nonce] = re.findall(r"script-src 'nonce-([^']+)';", policy)
    assert f"<script nonce={nonce}>document.forms[0].submit()</script>" in page
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8080;" in policy


async def test_who_has_signed_out_signs_in_by_a_button() -> None:
    async with opened(HOST) as client:
        page, policy = await read(client)
    assert "<button class=main>Open the wallet</button>" in page
    assert "<script" not in page
    assert "script-src" not in policy
    assert claims(page, issuer="https://auth.example.com")


async def test_without_an_organization_the_page_asks_for_one() -> None:
    org_id = uuid4()
    async with opened(ASKING_HOST) as client:
        page, _ = await read(client, return_to="/wallet")
        assert "name=org_id" in page
        assert fields(page) == {"return_to": "/wallet"}
        assert 'role="alert"' not in page

        page, _ = await read(client, return_to="/wallet", org_id="ACME")
        assert 'role="alert"' in page
        assert "access_token" not in page

        for query in ({"return_to": "/wallet"}, {}):
            page, _ = await read(client, org_id=f" {org_id} ", **query)
            assert claims(page)["app_metadata"] == {"org_id": str(org_id)}
            assert "submit()" in page


async def test_an_organization_that_is_known_cannot_be_changed() -> None:
    async with opened(HOST) as client:
        page, _ = await read(client, org_id=str(uuid4()))
    known = claims(page, issuer="https://auth.example.com")["app_metadata"]["org_id"]
    assert UUID(known) == ORG_ID


async def test_what_comes_by_the_address_is_shown_as_text() -> None:
    hostile = '"><script>alert(1)</script>'
    for host in (HOST, ASKING_HOST):
        async with opened(host) as client:
            page, _ = await read(client, return_to=hostile, org_id=hostile)
        assert fields(page)["return_to"] == hostile
        assert "alert(1)" in page
        assert "<script>alert" not in page


@pytest.mark.parametrize("name", ["pay.example.com", "pay.example.com:12111", "[::2]", "["])
async def test_by_another_name_there_is_no_token(name: str) -> None:
    async with opened(HOST) as client, client.get(SIGN_IN_PATH, headers={"Host": name}) as response:
        assert response.status == 403
        assert "access_token" not in await response.text()


async def test_it_listens_on_this_machine_alone() -> None:
    with listen("0.0.0.0", 0) as listener, pytest.raises(ValueError, match="alone"):  # noqa: S104
        async with running_host(HOST, listener):
            pass


async def test_beside_a_real_stripe_nothing_plays_stripe() -> None:
    async with opened(HOST) as client:
        for path in ("/v1/customers", "/_sandbox/faults", "/c/pay/cs_test_1", "/return"):
            async with client.get(path) as response:
                assert response.status == 404, path


@asynccontextmanager
async def running(host: HostApplication | None) -> AsyncIterator[RunningSandbox]:
    with listen("127.0.0.1", 0) as listener:
        async with (
            running_sandbox(None, listener, host=host) as url,
            connected(url) as sandbox,
        ):
            yield sandbox


async def test_a_customer_of_a_backend_comes_back_to_the_wallet_page() -> None:
    async with running(HOST) as sandbox:
        back = f"{sandbox.url}/return?topup_id=1&checkout=success"
        async with sandbox.client.get(back, allow_redirects=False) as response:
            assert response.status == 303
            assert response.headers["Location"] == f"{SERVICE}/wallet?topup_id=1&checkout=success"

        # Browsers hold every redirect after a form against its page's policy.
        params = session_params(success_url=back)
        session = await sandbox.stripe.v1.checkout.sessions.create_async(params)
        assert session.url
        async with sandbox.client.get(session.url) as response:
            policy = response.headers["Content-Security-Policy"]
        assert f"form-action 'self' {sandbox.url} http://127.0.0.1:8080;" in policy


async def test_the_sandbox_alone_signs_nobody_in() -> None:
    async with running(None) as sandbox:
        async with sandbox.client.get(sandbox.url + SIGN_IN_PATH) as response:
            assert response.status == 404
        async with sandbox.client.get(sandbox.url + "/return") as response:
            assert "close this window" in await response.text()
