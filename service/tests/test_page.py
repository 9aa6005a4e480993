"""The wallet page as it is served: its files, their headers, and who is sent to sign in."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession, DummyCookieJar
from multidict import CIMultiDictProxy
from yarl import URL

from ..http.page import CONTENT_TYPES, FOLDER
from ..http.tenants import COOKIE
from .tenants import make_token, running_wallet_service

PAGE = "/wallet"
ASSETS = PAGE + "/assets/"
SIGN_IN_URL = "https://app.example.com/sign-in"

# Chromium counts what is decompressed, and so does this.
MOST_BYTES = 150 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True)
class Browser:
    """Asks as a browser does, and takes the answer as it came."""

    url: str
    client: ClientSession

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(
            method, URL(self.url + path, encoded=True), headers=named, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read())


@asynccontextmanager
async def browsing(database: str, **settings: Any) -> AsyncIterator[Browser]:
    async with (
        running_wallet_service(database, **settings) as service,
        ClientSession(
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=["Accept-Encoding"],
        ) as client,
    ):
        yield Browser(service.url, client)


def cookie(**claims: Any) -> str:
    return f"{COOKIE}={make_token(uuid4(), **claims)}"


def asset_names() -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".html")


async def test_page_forbids_all_but_its_own_files(database: str) -> None:
    async with browsing(database) as browser:
        page = await browser.get(PAGE)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"
    # So that going back after signing out asks again, and is sent to sign in.
    assert page.headers["Cache-Control"] == "no-store"
    assert "ETag" not in page.headers
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in page.headers["Permissions-Policy"]


async def test_every_file_is_served_with_its_type_and_the_same_care(database: str) -> None:
    async with browsing(database) as browser:
        for name in asset_names():
            asset = await browser.get(ASSETS + name)
            assert asset.status == 200, name
            assert asset.body == (FOLDER / name).read_bytes()
            kind = CONTENT_TYPES[(FOLDER / name).suffix]
            assert asset.headers["Content-Type"] == f"{kind}; charset=utf-8"
            assert asset.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in asset.headers["Content-Security-Policy"]


async def test_what_a_browser_has_is_not_sent_again(database: str) -> None:
    path = ASSETS + "page.js"
    async with browsing(database) as browser:
        for encoding in ("identity", "gzip"):
            first = await browser.get(path, Accept_Encoding=encoding)
            etag = first.headers["ETag"]
            assert first.headers["Cache-Control"] == "no-cache"
            for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
                again = await browser.get(path, Accept_Encoding=encoding, If_None_Match=known)
                assert (again.status, again.body) == (304, b""), known
                assert again.headers["ETag"] == etag
                assert again.headers["Cache-Control"] == "no-cache"
                assert again.headers["Vary"] == "Accept-Encoding"
            changed = await browser.get(path, Accept_Encoding=encoding, If_None_Match='"x"')
            assert changed.status == 200


async def test_files_are_packed_for_who_can_unpack_them(database: str) -> None:
    async with browsing(database) as browser:
        plain = await browser.get(ASSETS + "page.css", Accept_Encoding="gzip;q=0, br")
        packed = await browser.get(ASSETS + "page.css", Accept_Encoding="br;q=0.5, GZIP")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == (FOLDER / "page.css").read_bytes()
    assert len(packed.body) < len(plain.body)
    # A strong tag names these very bytes.
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


async def test_head_has_the_headers_of_get_alone(database: str) -> None:
    async with browsing(database) as browser:
        for path in (PAGE, ASSETS + "page.js"):
            got = await browser.get(path)
            head = await browser.get(path, method="HEAD")
            assert (head.status, head.body) == (200, b"")
            for name in ("Content-Type", "Content-Length", "Content-Security-Policy", "Vary"):
                assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "absent.js",
        "index.html",
        "PAGE.JS",
        "page.js/",
        "../page.py",
        "..%2fhttp%2fpage.py",
        "%2e%2e%2fsettings.py",
        "..%5csettings.py",
        "%2fetc%2fpasswd",
        "page.js%00",
    ],
)
async def test_nothing_else_is_an_asset(database: str, name: str) -> None:
    async with browsing(database) as browser:
        answer = await browser.get(ASSETS + name)
    assert answer.status == 404
    assert b'"not_found"' in answer.body


def test_first_load_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    # The answers of the API come on top: about 20 KB in a busy month.
    assert sum(sizes.values()) < MOST_BYTES - 30 * 1024, sizes


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(database: str) -> None:
    expired = cookie(exp=1)
    async with browsing(database, sign_in_url=SIGN_IN_URL) as browser:
        for sent in ("", "wallet_session=nonsense", expired):
            answer = await browser.get(PAGE, Cookie=sent)
            assert answer.status == 303
            assert answer.headers["Location"] == f"{SIGN_IN_URL}?return_to=/wallet"
            assert answer.headers["Cache-Control"] == "no-store"

        answer = await browser.get(PAGE + "?topup_id=1&checkout=success")
        location = URL(answer.headers["Location"])
        assert location.query == {"return_to": "/wallet?topup_id=1&checkout=success"}

        # The files have nothing to hide, and the page of a session that ends still needs them.
        assert (await browser.get(ASSETS + "page.js")).status == 200


async def test_who_is_signed_in_gets_the_page(database: str) -> None:
    async with browsing(database, sign_in_url=SIGN_IN_URL + "?tenant=1") as browser:
        page = await browser.get(PAGE, Cookie=cookie())
    assert page.status == 200
    assert page.body == (FOLDER / "index.html").read_bytes()
    # Signing out redirects there.
    assert "form-action 'self' https://app.example.com;" in page.headers["Content-Security-Policy"]


async def test_a_prefix_is_part_of_the_way_back(database: str) -> None:
    async with browsing(
        database, sign_in_url=SIGN_IN_URL + "?tenant=1", public_url="https://example.com/pay"
    ) as browser:
        answer = await browser.get(PAGE + "?a=b")
    assert URL(answer.headers["Location"]).query == {
        "tenant": "1",
        "return_to": "/pay/wallet?a=b",
    }


async def test_without_a_page_to_sign_in_the_page_says_so_itself(database: str) -> None:
    async with browsing(database) as browser:
        assert (await browser.get(PAGE)).status == 200
