"""The hosted page to pay on, and the page to come back to."""

from __future__ import annotations

from html import escape

from aiohttp import web
from yarl import URL

from . import cards
from .errors import StripeError
from .events import StripeObject
from .html import page
from .resources import checkout_sessions
from .resources.money import shown
from .sandbox import SANDBOX, Sandbox
from .sign_in import HOST_APPLICATION

PAY_PATH = "/c/pay/{id}"
RETURN_PATH = "/return"


def add_routes(app: web.Application) -> None:
    app.router.add_get(PAY_PATH, show_session)
    app.router.add_post(PAY_PATH, answer_session)
    app.router.add_get(RETURN_PATH, show_return)


async def show_return(request: web.Request) -> web.Response:
    """Where a backend's customer comes back to: the wallet page, where there is one."""
    host = request.app.get(HOST_APPLICATION)
    if host:
        raise web.HTTPSeeOther(URL(host.wallet_page).with_query(request.query))
    return page("Thank you", "<h1>Thank you</h1><p>You can close this window.</p>")


async def show_session(request: web.Request) -> web.Response:
    return _show(request, _find(request))


async def answer_session(request: web.Request) -> web.Response:
    """What was chosen on the page: pay, or a step that follows it."""
    sandbox = request.app[SANDBOX]
    form = await request.post()
    action, number = str(form.get("action")), str(form.get("number", ""))
    session = _find(request)
    try:
        with sandbox.transaction():
            session = _act(sandbox, session, action, number)
    except StripeError as exc:
        return _show(request, _find(request), str(exc), number)
    if session["status"] != "complete":
        return _show(request, session)
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


def _find(request: web.Request) -> StripeObject:
    store = request.app[SANDBOX].store
    session = store.get(checkout_sessions.KIND, request.match_info["id"])
    if session is None:
        raise web.HTTPNotFound
    return session


def _show(
    request: web.Request,
    session: StripeObject,
    message: str | None = None,
    number: str = "4242 4242 4242 4242",
) -> web.Response:
    sandbox = request.app[SANDBOX]
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
    host = request.app.get(HOST_APPLICATION)
    return page(
        "Pay",
        f"<h1>{escape(amount)}</h1><p>{escape(description)}</p>{alert}{form}"
        "<small>This is the sandbox: no money moves.</small>",
        sends_to=[session["success_url"], *([host.service_url] if host else [])],
    )


def _card_form(session: StripeObject, number: str) -> str:
    buttons, hint = {"pay": "Pay"}, ""
    if "bacs_debit" in session["payment_method_types"]:
        buttons["bank_debit"] = "Pay by bank debit"
        hint = " A bank debit waits until you come back to this page and let it arrive, or fail."
    cancel = escape(session["cancel_url"] or RETURN_PATH, quote=True)
    return (
        _form(
            "<label>Card number <input name=number inputmode=numeric"
            f' autocomplete=off value="{escape(number, quote=True)}"></label>'
            "<p><small><b>4000 0000 0000 0002</b> is declined; with <b>4000 0025 0000 3155</b>"
            f" the bank asks you to approve.{hint}</small></p>",
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
