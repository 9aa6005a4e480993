"""What the sandbox's pages have in common: their look, and a strict Content-Security-Policy."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web

STYLE = """
:root { color-scheme: light dark; --page: #f4f5f8; --card: #fff; --text: #171a23; --soft: #565e70;
        --line: #dfe2ea; --field: #828a9c; --main: #4250d5; --on-main: #fff; --alert: #b42318 }
@media (prefers-color-scheme: dark) {
  :root { --page: #0e1015; --card: #171a21; --text: #e9ebf1; --soft: #a0a8b8;
          --line: #2b303b; --field: #6d7688; --main: #a3adff; --on-main: #12142a; --alert: #ff9a8f }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; background: var(--page); color: var(--text);
       margin: 0; padding: 1rem }
main { max-width: 26rem; margin: 6vh auto; background: var(--card); padding: 2rem;
       border: 1px solid var(--line); border-radius: .75rem }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 } p { margin: .25rem 0 1rem }
small { display: block; color: var(--soft); line-height: 1.4 } a { color: inherit }
b { font-weight: inherit; white-space: nowrap }
label { display: block; margin: .75rem 0 }
input { font: inherit; width: 100%; margin-top: .25rem; padding: .6rem .75rem;
        border: 1px solid var(--field); border-radius: .5rem; background: transparent;
        color: inherit }
button { font: inherit; font-weight: 600; width: 100%; margin-bottom: .75rem; padding: .7rem 1rem;
         border: 1px solid var(--field); border-radius: .5rem; background: transparent;
         color: inherit; cursor: pointer }
button.main { background: var(--main); border-color: var(--main); color: var(--on-main) }
:focus-visible { outline: 3px solid var(--main); outline-offset: 2px }
[role=alert] { color: var(--alert) }
@media (max-width: 30rem) { main { margin: 0 auto; padding: 1.25rem } }
"""


def page(
    title: str,
    content: str,
    *,
    sends_to: Iterable[str] = (),
    script: str = "",
    referrer: str = "no-referrer",
) -> web.Response:
    """A page whose forms may send to itself and to these URLs, redirects included."""
    nonce = secrets.token_urlsafe(16)
    targets = dict.fromkeys(["'self'", *map(origin, sends_to)])
    run = f"<script nonce={nonce}>{script}</script>" if script else ""
    allow = f" script-src 'nonce-{nonce}';" if script else ""
    return web.Response(
        text=f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style nonce={nonce}>{STYLE}</style><main>{content}</main>{run}</html>",
        content_type="text/html",
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}';{allow}"
            f" form-action {' '.join(targets)}; base-uri 'none'; frame-ancestors 'none'",
            "Referrer-Policy": referrer,
            "X-Content-Type-Options": "nosniff",
        },
    )


def origin(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"
