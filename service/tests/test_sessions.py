"""A browser's session: a cookie that no script reads, and that no other site can use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from aiohttp import ClientSession, DummyCookieJar
from structlog.testing import capture_logs

from ..http.app import SESSION_PATH, SIGN_OUT_PATH
from ..http.tenants import COOKIE
from .services import Service, open_wallet, running_service
from .tenants import Customer, make_token, running_wallet_service

Connection = psycopg.Connection[Any]

SIGN_IN = "https://app.example.com/sign-in?from=wallet"
PUBLIC_URL = "https://pay.example.com/billing"


@pytest.fixture
def org_id(connect: Callable[..., Connection]) -> UUID:
    return open_wallet(connect(), balance_pence=5_00)


@dataclass(frozen=True)
class Reply:
    status: int
    location: str | None
    cookie: Morsel[str] | None
    headers: Mapping[str, str]
    body: str


async def submit(service: Service, path: str, form: Mapping[str, str], **headers: str) -> Reply:
    """What a browser gets that sends this form; `Sec_Fetch_Site` stands for the header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        ClientSession(cookie_jar=DummyCookieJar()) as client,
        client.post(
            service.url + path, data=form, headers=named, allow_redirects=False
        ) as response,
    ):
        cookies = SimpleCookie(response.headers.get("Set-Cookie", ""))
        return Reply(
            response.status,
            response.headers.get("Location"),
            cookies.get(COOKIE),
            dict(response.headers),
            await response.text(),
        )


async def test_a_token_that_is_handed_over_becomes_a_session(database: str, org_id: UUID) -> None:
    token = make_token(org_id, exp=int(time.time()) + 600)
    async with running_wallet_service(database, sign_in_url=SIGN_IN) as service:
        with capture_logs() as logs:
            reply = await submit(
                service, SESSION_PATH, {"access_token": token}, Origin="https://app.example.com"
            )
        assert (reply.status, reply.location) == (303, "/wallet")
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.cookie is not None
        assert reply.cookie.value == token
        assert reply.cookie["httponly"] is True
        assert (reply.cookie["samesite"], reply.cookie["path"]) == ("Lax", "/")
        assert not reply.cookie["domain"]
        assert not reply.cookie["secure"]
        assert 590 <= int(reply.cookie["max-age"]) <= 600
        answer = await Customer(service, reply.cookie.value, by_cookie=True).get("/summary")
        assert answer.body["balance_pence"] == 5_00
    [line] = [line for line in logs if line["event"] == "request"]
    assert (line["status"], line["orgId"]) == (303, str(org_id))
    assert token not in str(logs)


async def test_behind_a_proxy_the_cookie_is_for_https_alone_and_paths_have_their_prefix(
    database: str, org_id: UUID
) -> None:
    async with running_wallet_service(database, public_url=PUBLIC_URL) as service:
        form = {"access_token": make_token(org_id)}
        reply = await submit(service, SESSION_PATH, form, Origin="https://pay.example.com")
        assert reply.location == "/billing/wallet"
        assert reply.cookie is not None
        assert reply.cookie["secure"] is True

        for wanted in ("/billing/wallet", "/billing/wallet?topup_id=7&checkout=success"):
            reply = await submit(
                service,
                SESSION_PATH,
                {**form, "return_to": wanted},
                Origin="https://PAY.example.com:443",
            )
            assert reply.location == wanted

        # Whom the proxy calls by another name, it speaks to under this one.
        assert (await submit(service, SESSION_PATH, form, Origin=service.url)).status == 403
        async with service.client.get(service.url + "/", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/billing/wallet")


async def test_one_returns_to_the_page_and_nowhere_else(database: str, org_id: UUID) -> None:
    async with running_wallet_service(database) as service:
        for wanted in (
            *("", "/", "/wallet/", "/walletx", "/wallet/../health", "wallet", "/WALLET"),
            *("//evil.example/wallet", "https://evil.example/wallet", "/\\evil.example"),
            *(
                "/wallet#x",
                "/wallet?a=b c",
                "/wallet?\r\nSet-Cookie: a=b",
                "/wallet?é",
                "/wallet\n",
            ),
        ):
            form = {"access_token": make_token(org_id), "return_to": wanted}
            reply = await submit(service, SESSION_PATH, form, Origin=service.url)
            assert (reply.status, reply.location) == (303, "/wallet"), wanted


@pytest.mark.parametrize("settings", [{}, {"sign_in_url": SIGN_IN}], ids=["alone", "sign-in"])
async def test_nobody_is_signed_in_by_another_site(
    database: str, org_id: UUID, settings: dict[str, str]
) -> None:
    form = {"access_token": make_token(org_id)}
    async with running_wallet_service(database, **settings) as service:
        port = service.url.rpartition(":")[2]
        for origin in (
            *("https://evil.example", "http://app.example.com", "https://app.example.com:8443"),
            *("https://app.example.com.evil.example", "https://sub.app.example.com"),
            *("null", "", "https://", "app.example.com", "https://[", f"http://localhost:{port}"),
        ):
            reply = await submit(service, SESSION_PATH, form, Origin=origin)
            assert (reply.status, reply.cookie) == (403, None), origin
            assert '"cross_site"' in reply.body
        assert (await submit(service, SESSION_PATH, form)).status == 403
        # What a browser says of the site is no substitute.
        reply = await submit(service, SESSION_PATH, form, Sec_Fetch_Site="same-origin")
        assert reply.status == 403


async def test_a_token_that_is_none_makes_no_session(database: str, org_id: UUID) -> None:
    async with running_wallet_service(database) as service:
        for form, status in (
            ({}, 401),
            ({"access_token": ""}, 401),
            ({"access_token": "hunter2"}, 401),
            ({"access_token": make_token(org_id, exp=1)}, 401),
            ({"access_token": make_token(org_id, role="service_role")}, 401),
            ({"access_token": make_token(None)}, 403),
            # No browser would keep it.
            ({"access_token": make_token(org_id, padding="x" * 3500)}, 400),
            ({"access_token": "x" * 40_000}, 413),
            ({str(number): "x" for number in range(30)}, 400),
        ):
            reply = await submit(service, SESSION_PATH, form, Origin=service.url)
            assert (reply.status, reply.cookie) == (status, None)
        reply = await submit(
            service, SESSION_PATH + f"?access_token={make_token(org_id)}", {}, Origin=service.url
        )
        assert reply.status == 401


async def test_a_token_about_to_expire_makes_a_short_session(database: str, org_id: UUID) -> None:
    async with running_wallet_service(database) as service:
        for seconds, longest in ((-5, 1), (30, 30)):
            token = make_token(org_id, exp=int(time.time()) + seconds)
            reply = await submit(service, SESSION_PATH, {"access_token": token}, Origin=service.url)
            assert reply.cookie is not None
            assert 1 <= int(reply.cookie["max-age"]) <= longest


async def test_signing_out_deletes_the_cookie(database: str, org_id: UUID) -> None:
    cookie = f"{COOKIE}={make_token(org_id)}"
    for settings, there in (({}, "/wallet"), ({"sign_in_url": SIGN_IN}, SIGN_IN)):
        async with running_wallet_service(database, **settings) as service:
            reply = await submit(service, SIGN_OUT_PATH, {}, Cookie=cookie, Origin=service.url)
            assert (reply.status, reply.location) == (303, there)
            assert reply.cookie is not None
            assert (reply.cookie.value, reply.cookie["max-age"]) == ("", "0")
            assert reply.cookie["path"] == "/"
            reply = await submit(
                service, SIGN_OUT_PATH, {}, Cookie=cookie, Origin="https://evil.example"
            )
            assert (reply.status, reply.cookie) == (403, None)


async def test_without_keys_there_are_no_sessions(database: str, org_id: UUID) -> None:
    async with running_service(database) as service:
        form = {"access_token": make_token(org_id)}
        reply = await submit(service, SESSION_PATH, form, Origin=service.url)
    assert reply.status == 503
    assert '"not_configured"' in reply.body


SITES = [
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 200),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Sec-Fetch-Site": "same-origin, cross-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "OWN"}, 403),
    ({"Origin": "OWN"}, 200),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": ""}, 403),
    ({}, 403),
]


@pytest.mark.parametrize("public_url", [None, PUBLIC_URL], ids=["itself", "behind a proxy"])
async def test_what_a_cookie_lets_change_has_to_come_from_our_own_page(
    database: str, org_id: UUID, public_url: str | None
) -> None:
    token = make_token(org_id)
    settings = {"public_url": public_url} if public_url else {}
    async with running_wallet_service(database, **settings) as service:
        own = "https://pay.example.com" if public_url else service.url
        url = service.url + "/api/wallet/auto-recharge"

        async def put(headers: Mapping[str, str], body: bytes = b'{"enabled": false}') -> int:
            async with (
                ClientSession(cookie_jar=DummyCookieJar()) as client,
                client.put(url, data=body, headers=headers) as response,
            ):
                error = (await response.json()).get("error")
                assert (response.status == 403) == (error == "cross_site")
                return response.status

        for headers, status in SITES:
            sent = {name: value.replace("OWN", own) for name, value in headers.items()}
            json_type = {"Content-Type": "application/json; charset=utf-8"}
            with_cookie = {"Cookie": f"{COOKIE}={token}", **json_type, **sent}
            assert await put(with_cookie) == status, headers
            # A token in a header is sent by nobody but a program that has it.
            assert await put({"Authorization": f"Bearer {token}", **sent}) == 200, headers

        # A form, or a fetch without leave to read, sends these.
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            headers = {"Cookie": f"{COOKIE}={token}", "Sec-Fetch-Site": "same-origin"}
            assert await put({**headers, "Content-Type": kind}) == 415


async def test_another_site_learns_nothing_by_asking(database: str, org_id: UUID) -> None:
    """It may send the request, and no header lets it read the answer."""
    async with running_wallet_service(database) as service:
        customer = Customer(service, make_token(org_id), by_cookie=True)
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        async with customer.request("GET", "/summary", headers=headers) as response:
            assert response.status == 200
            assert not [name for name in response.headers if name.startswith("Access-Control")]
        async with customer.request("OPTIONS", "/auto-recharge", headers=headers) as response:
            assert response.status == 405


async def test_a_cookie_of_another_organization_shows_that_one(database: str, org_id: UUID) -> None:
    async with running_wallet_service(database) as service:
        stranger = Customer(service, make_token(uuid4()), by_cookie=True)
        assert (await stranger.get("/summary")).outcome == "404 organization_not_found"
