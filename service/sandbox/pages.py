"""The hosted page to pay on, and the page to come back to."""

from __future__ import annotations

import secrets
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from . import cards
from .errors import StripeError
from .events import StripeObject
from .resources import checkout_sessions
from .resources.money import shown
from .sandbox import SANDBOX, Sandbox

PAY_PATH = "/c/pay/{id}"
RETURN_PATH = "/return"

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; background: #f6f8fa; color: #1f2328; margin: 0 }
main { max-width: 26rem; margin: 8vh auto; background: #fff; padding: 2rem;
       border: 1px solid #d1d9e0; border-radius: .5rem }
h1 { font-size: 2rem; margin: 0 } p { margin: .25rem 0 1rem } small { color: #59636e }
label { display: block; margin: .75rem 0 } input[type=text] { font: inherit; width: 100%;
       box-sizing: border-box; padding: .5rem; border: 1px solid #d1d9e0; border-radius: .25rem }
button { font: inherit; padding: .5rem 1.25rem; border: 1px solid #1f2328; border-radius: .25rem;
       background: #fff; cursor: pointer } button.main { background: #1f2328; color: #fff }
[role=alert] { color: #b42318 }
"""


def add_routes(app: web.Application) -> None:
    app.router.add_get(PAY_PATH, show_session)
    app.router.add_post(PAY_PATH, answer_session)
    app.router.add_get(RETURN_PATH, show_return)


async def show_return(request: web.Request) -> web.Response:
    return _page("Thank you", "<h1>Thank you</h1><p>You can close this window.</p>")


async def show_session(request: web.Request) -> web.Response:
    sandbox = request.app[SANDBOX]
    return _show(_find(request, sandbox), sandbox)


async def answer_session(request: web.Request) -> web.Response:
    """What was chosen on the page: pay, or a step that follows it."""
    sandbox = request.app[SANDBOX]
    form = await request.post()
    action, number = str(form.get("action")), str(form.get("number", ""))
    session = _find(request, sandbox)
    try:
        with sandbox.transaction():
            session = _act(sandbox, session, action, number)
    except StripeError as exc:
        return _show(_find(request, sandbox), sandbox, str(exc), number)
    if session["status"] != "complete":
        return _show(session, sandbox)
    raise web.HTTPSeeOther(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def _act(sandbox: Sandbox, session: StripeObject, action: str, number: str) -> StripeObject:
    call = sandbox.call()
    if action == "bank_debit":
        return checkout_sessions.pay_by_bank_debit(call, session)
    if action in ("authenticate", "refuse"):
        return checkout_sessions.authenticate(call, session, passed=action == "authenticate")
    if action in ("arrive", "fail"):
        return checkout_sessions.settle(call, session, succeeded=action == "arrive")
    card = cards.find(number)
    if card is None:
        raise StripeError("Your card number is incorrect. Use one of Stripe's test cards.")
    return checkout_sessions.pay(call, session, card)


def _find(request: web.Request, sandbox: Sandbox) -> StripeObject:
    session = sandbox.store.get(checkout_sessions.KIND, request.match_info["id"])
    if session is None:
        raise web.HTTPNotFound
    return session


def _show(
    session: StripeObject,
    sandbox: Sandbox,
    message: str | None = None,
    number: str = "4242 4242 4242 4242",
) -> web.Response:
    intent = sandbox.store.get("payment_intent", session["payment_intent"] or "")
    state = intent["status"] if intent else None
    if session["status"] == "expired":
        form = "<p>This page has expired. You have not been charged.</p>"
    elif session["status"] == "complete":
        form = (
            _form("<p>The bank debit is under way.</p>", arrive="It arrives", fail="It fails")
            if state == "processing"
            else "<p>This payment is complete.</p>"
        )
    elif state == "requires_action":
        form = _form(
            "<p>Your bank asks you to approve this payment.</p>",
            authenticate="Approve",
            refuse="Refuse",
        )
    else:
        form = _card_form(session, number)
    alert = f'<p role="alert">{escape(message)}</p>' if message else ""
    amount = shown(session["amount_total"], session["currency"])
    description = sandbox.store.private(session["id"])["description"]
    return _page(
        "Pay",
        f"<h1>{escape(amount)}</h1><p>{escape(description)}</p>{alert}{form}"
        "<small>This is the sandbox: no money moves.</small>",
        session,
    )


def _card_form(session: StripeObject, number: str) -> str:
    buttons = {"pay": "Pay"}
    if "bacs_debit" in session["payment_method_types"]:
        buttons["bank_debit"] = "Pay by bank debit"
    cancel = escape(session["cancel_url"] or RETURN_PATH, quote=True)
    return (
        _form(
            "<label>Card number <input type=text name=number inputmode=numeric"
            f' autocomplete=off value="{escape(number, quote=True)}"></label>'
            "<p><small>4000 0000 0000 0002 is declined; with 4000 0025 0000 3155 the bank asks"
            " you to approve.</small></p>",
            **buttons,
        )
        + f'<p><a href="{cancel}">Cancel</a></p>'
    )


def _form(content: str, **buttons: str) -> str:
    """A form whose first button is the main one."""
    return (
        f"<form method=post>{content}"
        + " ".join(
            f'<button name=action value="{action}"{"" if position else " class=main"}>'
            f"{label}</button>"
            for position, (action, label) in enumerate(buttons.items())
        )
        + "</form>"
    )


def _page(title: str, content: str, session: StripeObject | None = None) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    # Browsers hold the redirect after a form against form-action too.
    targets = ["'self'"]
    if session:
        address = urlsplit(session["success_url"])
        targets.append(f"{address.scheme}://{address.netloc}")
    return web.Response(
        text=f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style nonce={nonce}>{STYLE}</style><main>{content}</main></html>",
        content_type="text/html",
        headers={
            "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}';"
            f" form-action {' '.join(targets)}; base-uri 'none'; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
