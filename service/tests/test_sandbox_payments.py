"""What Stripe's test cards do, off session and on the hosted page, and money that goes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe
from aiohttp import ClientResponse

from .sandboxes import RunningSandbox, charge_params, running_test_sandbox, session_params


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


async def charge(sandbox: RunningSandbox, *ids: str, **params: Any) -> stripe.PaymentIntent:
    return await sandbox.stripe.v1.payment_intents.create_async(charge_params(*ids, **params))


async def decline(sandbox: RunningSandbox, *ids: str, **params: Any) -> dict[str, Any]:
    """The error of a charge that the card refuses."""
    with pytest.raises(stripe.CardError) as error:
        await charge(sandbox, *ids, **params)
    assert error.value.http_status == 402
    body: dict[str, Any] = error.value.json_body["error"]  # type: ignore[index]
    return body


async def new_session(sandbox: RunningSandbox, **params: Any) -> stripe.checkout.Session:
    return await sandbox.stripe.v1.checkout.sessions.create_async(session_params(**params))


async def event_types(sandbox: RunningSandbox) -> list[str]:
    """The oldest first."""
    return [event["type"] for event in await sandbox.objects("event")]


async def send_form(session: stripe.checkout.Session, sandbox: RunningSandbox, **form: str) -> str:
    """What the hosted page answers: where it leads to, or what it shows."""
    page = session.url or f"{sandbox.url}/c/pay/{session.id}"
    async with sandbox.client.post(page, data=form, allow_redirects=False) as response:
        if response.status == 303:
            return response.headers["Location"]
        assert response.status == 200
        return await response.text()


# Off session


async def test_a_saved_card_is_charged_off_session(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/payments/save-and-reuse: off_session and confirm"""
    customer, card = await sandbox.add_customer()
    intent = await charge(sandbox, customer, card, metadata={"attempt_id": "a1"})

    assert (intent.status, intent.amount_received) == ("succeeded", 50_00)
    assert isinstance(intent.latest_charge, str)
    made = await sandbox.stripe.v1.charges.retrieve_async(intent.latest_charge)
    assert (made.paid, made.amount_captured, made.customer) == (True, 50_00, customer)
    assert (await event_types(sandbox))[-3:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_metadata_of_a_payment_intent_are_copied_to_its_charge(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/metadata: copied from the payment intent to the charge"""
    await charge(sandbox, *await sandbox.add_customer(), metadata={"attempt_id": "a1"})

    [made] = await sandbox.objects("charge")
    assert made["metadata"] == {"attempt_id": "a1"}


@pytest.mark.parametrize(
    ("card", "code", "decline_code", "advice_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
            "try_again_later",
        ),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card", "do_not_try_again"),
        (
            "pm_card_visa_chargeDeclinedStolenCard",
            "card_declined",
            "stolen_card",
            "do_not_try_again",
        ),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card", "do_not_try_again"),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            "processing_error",
            "try_again_later",
        ),
    ],
)
async def test_a_declined_charge_says_why(
    sandbox: RunningSandbox, card: str, code: str, decline_code: str, advice_code: str
) -> None:
    """https://docs.stripe.com/testing#declined-payments"""
    customer = await sandbox.stripe.v1.customers.create_async()
    error = await decline(sandbox, customer.id, card)

    assert error["type"] == "card_error"
    assert (error["code"], error["decline_code"], error["advice_code"]) == (
        code,
        decline_code,
        advice_code,
    )
    intent = error["payment_intent"]
    assert intent["status"] == "requires_payment_method"
    assert intent["last_payment_error"]["decline_code"] == decline_code
    assert (await sandbox.objects("payment_intent"))[0] == intent
    assert (await sandbox.objects("charge"))[0]["status"] == "failed"
    assert (await event_types(sandbox))[-1] == "payment_intent.payment_failed"


async def test_a_card_that_declines_can_not_be_attached_but_for_one(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/testing#declined-payments: decline after attaching"""
    with pytest.raises(stripe.CardError):
        await sandbox.add_customer("pm_card_visa_chargeDeclined")

    customer, card = await sandbox.add_customer("pm_card_chargeCustomerFail")
    assert (await decline(sandbox, customer, card))["code"] == "card_declined"


async def test_a_charge_that_needs_the_customer_fails_off_session(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/testing#regulatory-cards, docs.stripe.com/declines/codes"""
    customer, card = await sandbox.add_customer("pm_card_authenticationRequired")
    error = await decline(sandbox, customer, card)

    assert error["code"] == "authentication_required"
    assert error["decline_code"] == "authentication_required"
    assert error["payment_intent"]["status"] == "requires_payment_method"


async def test_a_charge_that_needs_the_customer_waits_for_them_on_session(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/payments/paymentintents/lifecycle: requires_action"""
    customer, card = await sandbox.add_customer("pm_card_authenticationRequired")
    intent = await charge(sandbox, customer, card, off_session=False)
    assert intent.status == "requires_action"
    assert (await event_types(sandbox))[-1] == "payment_intent.requires_action"

    await sandbox.control("POST", f"/payment_intents/{intent.id}/authenticate")
    assert (await sandbox.objects("payment_intent"))[0]["status"] == "succeeded"


async def test_the_other_card_needs_the_customer_until_it_is_set_up(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/testing#regulatory-cards: authenticate unless set up"""
    customer, card = await sandbox.add_customer("pm_card_authenticationRequiredOnSetup")
    assert (await decline(sandbox, customer, card))["code"] == "authentication_required"

    intent = await charge(
        sandbox, customer, card, off_session=False, setup_future_usage="off_session"
    )
    await sandbox.control("POST", f"/payment_intents/{intent.id}/authenticate")
    assert (await charge(sandbox, customer, card)).status == "succeeded"


async def test_a_card_can_run_out_of_money_later(sandbox: RunningSandbox) -> None:
    customer, card = await sandbox.add_customer()
    path = f"/payment_methods/{card}/decline"
    await sandbox.control("POST", path, {"decline_code": "insufficient_funds"})
    assert (await decline(sandbox, customer, card))["decline_code"] == "insufficient_funds"

    await sandbox.control("POST", path, {"decline_code": None})
    assert (await charge(sandbox, customer, card)).status == "succeeded"


async def test_a_card_of_somebody_else_is_refused(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/payment_methods/attach"""
    _, card = await sandbox.add_customer()
    other, _ = await sandbox.add_customer()

    with pytest.raises(stripe.InvalidRequestError, match="must be attached to the customer"):
        await charge(sandbox, other, card)
    with pytest.raises(stripe.InvalidRequestError, match="include the Customer"):
        await sandbox.stripe.v1.payment_intents.create_async(
            {"amount": 50_00, "currency": "gbp", "payment_method": card, "confirm": True}
        )
    assert await sandbox.count("payment_intent") == 0


async def test_a_detached_card_is_never_charged_again(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/payment_methods/detach"""
    customer, card = await sandbox.add_customer()
    methods = sandbox.stripe.v1.payment_methods
    assert [each.id for each in (await methods.list_async({"customer": customer})).data] == [card]

    await methods.detach_async(card)

    assert (await methods.list_async({"customer": customer})).data == []
    assert (await methods.retrieve_async(card)).customer is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        await charge(sandbox, customer, card)
    event = (await sandbox.objects("event"))[-1]
    assert event["type"] == "payment_method.detached"
    assert event["data"]["previous_attributes"] == {"customer": customer}


async def test_a_replaced_card_keeps_its_id(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/events/types: payment_method.automatically_updated"""
    _, card = await sandbox.add_customer()
    await sandbox.control("POST", f"/payment_methods/{card}/update", {"last4": "1881"})

    event = (await sandbox.objects("event"))[-1]
    assert event["type"] == "payment_method.automatically_updated"
    assert event["data"]["object"]["id"] == card
    assert event["data"]["object"]["card"]["last4"] == "1881"
    assert event["data"]["previous_attributes"]["card"]["last4"] == "4242"


async def test_what_is_not_finished_can_be_canceled_and_what_is_can_not(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/api/payment_intents/cancel"""
    customer, card = await sandbox.add_customer("pm_card_chargeCustomerFail")
    failed = (await decline(sandbox, customer, card))["payment_intent"]["id"]
    canceled = await sandbox.stripe.v1.payment_intents.cancel_async(
        failed, {"cancellation_reason": "abandoned"}
    )
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert (await event_types(sandbox))[-1] == "payment_intent.canceled"

    paid = await charge(sandbox, *await sandbox.add_customer())
    for done in (canceled, paid):
        with pytest.raises(stripe.InvalidRequestError) as error:
            await sandbox.stripe.v1.payment_intents.cancel_async(done.id)
        assert error.value.code == "payment_intent_unexpected_state"


async def test_a_failed_payment_is_confirmed_with_another_card(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/payment_intents/confirm"""
    customer, card = await sandbox.add_customer("pm_card_chargeCustomerFail")
    failed = (await decline(sandbox, customer, card))["payment_intent"]["id"]

    intent = await sandbox.stripe.v1.payment_intents.confirm_async(
        failed, {"payment_method": "pm_card_visa"}
    )
    assert (intent.id, intent.status, intent.last_payment_error) == (failed, "succeeded", None)


# On the hosted page


async def test_a_paid_session_saves_the_card_and_keeps_its_metadata_to_itself(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/metadata, and
    https://docs.stripe.com/changelog/2022-08-01/deferred-paymentintent-checkout-session
    """
    customer = (await sandbox.stripe.v1.customers.create_async({"email": "a@example.com"})).id
    session = await new_session(
        sandbox,
        customer=customer,
        client_reference_id="org",
        metadata={"on": "session"},
        payment_intent_data={
            "metadata": {"on": "intent"},
            "setup_future_usage": "off_session",
        },
        invoice_creation={"enabled": True},
    )
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.payment_intent is None  # until somebody pays

    assert await send_form(session, sandbox, action="pay", number="4242 4242 4242 4242") == (
        f"https://example.com/done?session={session.id}"
    )

    paid = await sandbox.stripe.v1.checkout.sessions.retrieve_async(
        session.id, {"expand": ["payment_intent"]}
    )
    assert (paid.status, paid.payment_status, paid.amount_total) == ("complete", "paid", 50_00)
    assert (paid.client_reference_id, paid.url) == ("org", None)
    assert paid.customer_details is not None
    assert paid.customer_details.email == "a@example.com"
    assert paid.invoice is not None
    intent: Any = paid.payment_intent
    assert intent.metadata.to_dict() == {"on": "intent"}
    assert (await sandbox.objects("charge"))[0]["metadata"] == {"on": "intent"}
    assert (await charge(sandbox, customer, intent.payment_method)).status == "succeeded"
    assert (await event_types(sandbox))[1:7] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "payment_method.attached",
        "invoice.paid",
        "checkout.session.completed",
    ]


async def test_a_session_without_a_customer_makes_one_where_it_needs_one(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/api/checkout/sessions/create: customer_creation"""
    guest = await sandbox.pay((await new_session(sandbox)).id)
    assert guest["customer"] is None

    session = await new_session(sandbox, payment_intent_data={"setup_future_usage": "off_session"})
    known = await sandbox.pay(session.id)
    methods = await sandbox.stripe.v1.payment_methods.list_async({"customer": known["customer"]})
    assert len(methods.data) == 1


async def test_a_declined_card_leaves_the_session_open_for_another(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/testing#declined-payments"""
    session = await new_session(sandbox)
    for number, message in (
        ("4000000000000002", "Your card was declined."),
        ("4000 0000 0000 9995", "Your card has insufficient funds."),
        ("1234", "Your card number is incorrect."),
    ):
        assert message in await send_form(session, sandbox, action="pay", number=number)

    assert "example.com" in await send_form(
        session, sandbox, action="pay", number="4242424242424242"
    )
    [intent] = await sandbox.objects("payment_intent")
    assert intent["status"] == "succeeded"
    assert await sandbox.count("charge") == 3


@pytest.mark.parametrize("number", ["4000002500003155", "4000002760003184", "4000000000003220"])
async def test_the_bank_asks_on_the_hosted_page(sandbox: RunningSandbox, number: str) -> None:
    """https://docs.stripe.com/testing#regulatory-cards"""
    session = await new_session(sandbox)

    assert "Your bank asks" in await send_form(session, sandbox, action="pay", number=number)
    assert "unable to authenticate" in await send_form(session, sandbox, action="refuse")
    assert "Your bank asks" in await send_form(session, sandbox, action="pay", number=number)
    assert "example.com" in await send_form(session, sandbox, action="authenticate")
    assert await sandbox.count("payment_intent", status="succeeded") == 1


@pytest.mark.parametrize("succeeded", [True, False])
async def test_a_bank_debit_completes_the_session_before_its_money_comes(
    sandbox: RunningSandbox, succeeded: bool
) -> None:
    """https://docs.stripe.com/checkout/fulfillment#delayed-notification"""
    session = await new_session(sandbox)
    assert "example.com" in await send_form(session, sandbox, action="bank_debit")
    [unpaid] = await sandbox.objects("checkout.session")
    assert (unpaid["status"], unpaid["payment_status"]) == ("complete", "unpaid")
    assert (await event_types(sandbox))[-2:] == [
        "payment_intent.processing",
        "checkout.session.completed",
    ]

    await send_form(session, sandbox, action="arrive" if succeeded else "fail")

    [settled] = await sandbox.objects("checkout.session")
    assert settled["payment_status"] == ("paid" if succeeded else "unpaid")
    assert (await event_types(sandbox))[-2:] == (
        ["payment_intent.succeeded", "checkout.session.async_payment_succeeded"]
        if succeeded
        else ["payment_intent.payment_failed", "checkout.session.async_payment_failed"]
    )


async def test_a_session_is_expired_once_and_takes_no_money_then(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/api/checkout/sessions/expire"""
    session = await new_session(sandbox)
    expired = await sandbox.stripe.v1.checkout.sessions.expire_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert (await event_types(sandbox)) == ["checkout.session.expired"]

    assert "expired" in await send_form(session, sandbox, action="pay", number="4242424242424242")
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        await sandbox.stripe.v1.checkout.sessions.expire_async(session.id)
    assert await sandbox.count("charge") == 0


async def test_a_session_expires_by_itself(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/checkout/sessions/create: expires_at, 24 hours by default"""
    session = await new_session(sandbox)
    early = await new_session(sandbox, expires_at=session.created + 30 * 60)
    for seconds in (60, 25 * 3600):
        with pytest.raises(stripe.InvalidRequestError) as error:
            await new_session(sandbox, expires_at=session.created + seconds)
        assert error.value.param == "expires_at"

    await sandbox.control("POST", "/clock", {"seconds": 30 * 60})
    sessions = sandbox.stripe.v1.checkout.sessions
    assert (await sessions.retrieve_async(early.id)).status == "expired"
    assert [each.id for each in (await sessions.list_async({"status": "open"})).data] == [
        session.id
    ]
    await sandbox.control("POST", "/clock", {"seconds": 24 * 3600})
    assert (await sessions.retrieve_async(session.id)).status == "expired"


async def test_the_page_shows_what_is_paid_and_nothing_of_it_is_markup(
    sandbox: RunningSandbox,
) -> None:
    params = session_params(cancel_url='https://example.com/"><script>')
    params["line_items"][0]["price_data"]["product_data"]["name"] = "<script>alert(1)</script>"
    session = await sandbox.stripe.v1.checkout.sessions.create_async(params)
    assert session.url is not None

    async with sandbox.client.get(session.url) as response:
        text = await response.text()
        _check_headers(response)
    assert "£50.00" in text
    assert "4242 4242 4242 4242" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    shown = await send_form(session, sandbox, action="pay", number='"><script>')
    assert "<script" not in shown


async def test_the_page_to_come_back_to_knows_nobody(sandbox: RunningSandbox) -> None:
    async with sandbox.client.get(sandbox.url + "/return") as response:
        assert "You can close this window" in await response.text()
        _check_headers(response)
    async with sandbox.client.get(sandbox.url + "/c/pay/cs_none") as response:
        assert response.status == 404


def _check_headers(response: ClientResponse) -> None:
    assert response.content_type == "text/html"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; ")


# Money that goes back


async def paid_intent(sandbox: RunningSandbox, card: str = "pm_card_visa") -> str:
    return (await charge(sandbox, *await sandbox.add_customer(card))).id


async def test_refunds_add_up_on_the_charge(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/refunds/create: until the entire charge is refunded"""
    intent = await paid_intent(sandbox)
    refunds = sandbox.stripe.v1.refunds
    await refunds.create_async({"payment_intent": intent, "amount": 20_00})
    await refunds.create_async({"payment_intent": intent})

    [made] = await sandbox.objects("charge")
    assert (made["amount_refunded"], made["refunded"]) == (50_00, True)
    refunded = [
        event["data"]["object"]["amount_refunded"]
        for event in await sandbox.objects("event", type="charge.refunded")
    ]
    assert refunded == [20_00, 50_00]
    assert len((await refunds.list_async({"payment_intent": intent})).data) == 2
    with pytest.raises(stripe.InvalidRequestError) as error:
        await refunds.create_async({"payment_intent": intent})
    assert error.value.code == "charge_already_refunded"


async def test_a_refund_is_at_most_what_is_left(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/refunds/create"""
    intent = await paid_intent(sandbox)
    with pytest.raises(stripe.InvalidRequestError) as error:
        await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent, "amount": 50_01})
    assert error.value.param == "amount"


async def test_a_refund_can_fail_after_it_succeeded(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/refunds#failed-refunds"""
    intent = await paid_intent(sandbox)
    refund = await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent})
    assert refund.status == "succeeded"

    await sandbox.control("POST", f"/refunds/{refund.id}/fail")

    failed = await sandbox.stripe.v1.refunds.retrieve_async(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    [updated] = await sandbox.objects("event", type="refund.updated")
    assert updated["data"]["previous_attributes"]["status"] == "succeeded"
    assert await sandbox.count("event", type="refund.failed") == 1


async def test_a_refund_can_be_pending_first(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/testing#refunds"""
    intent = await paid_intent(sandbox, "pm_card_pendingRefund")
    refund = await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent})
    assert refund.status == "pending"

    await sandbox.control("POST", f"/refunds/{refund.id}/succeed")
    event = (await sandbox.objects("event"))[-1]
    assert (event["type"], event["data"]["object"]["status"]) == ("refund.updated", "succeeded")


async def test_a_dispute_takes_the_money_and_winning_it_gives_it_back(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/disputes/how-disputes-work"""
    intent = await paid_intent(sandbox)
    dispute = await sandbox.control("POST", f"/payment_intents/{intent}/dispute", {"amount": 30_00})
    with pytest.raises(stripe.InvalidRequestError):
        await sandbox.stripe.v1.refunds.create_async({"payment_intent": intent})

    await sandbox.control("POST", f"/disputes/{dispute['id']}/close", {"status": "won"})

    assert (await event_types(sandbox))[-4:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    [listed] = (await sandbox.stripe.v1.disputes.list_async({"payment_intent": intent})).data
    assert (listed.status, listed.amount) == ("won", 30_00)
    assert [each.amount for each in listed.balance_transactions] == [-30_00, 30_00]


async def test_accepting_a_dispute_loses_it(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/disputes/close"""
    await paid_intent(sandbox, "pm_card_createDispute")
    [dispute] = (await sandbox.stripe.v1.disputes.list_async()).data
    assert dispute.status == "needs_response"

    assert (await sandbox.stripe.v1.disputes.close_async(dispute.id)).status == "lost"
    assert await sandbox.count("event", type="charge.dispute.funds_reinstated") == 0


async def test_an_inquiry_takes_no_money_until_it_becomes_a_dispute(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/testing#disputes"""
    await paid_intent(sandbox, "pm_card_createDisputeInquiry")
    [inquiry] = await sandbox.objects("dispute")
    assert inquiry["status"] == "warning_needs_response"
    assert await sandbox.count("event", type="charge.dispute.funds_withdrawn") == 0

    await sandbox.control("POST", f"/disputes/{inquiry['id']}/withdraw")
    assert await sandbox.count("event", type="charge.dispute.funds_withdrawn") == 1


async def test_what_belongs_to_a_payment_is_found_by_it(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/charges/list, and the same of the others"""
    api = sandbox.stripe.v1
    customer, card = await sandbox.add_customer("pm_card_createIssuerFraudRecord")
    intent = (await charge(sandbox, customer, card)).id
    await paid_intent(sandbox)

    [of_customer] = (await api.customers.payment_methods.list_async(customer)).data
    found = await api.customers.payment_methods.retrieve_async(customer, card)
    assert (of_customer.id, found.id) == (card, card)
    [made] = (await api.charges.list_async({"payment_intent": intent})).data
    [warning] = (await api.radar.early_fraud_warnings.list_async({"charge": made.id})).data
    assert (await api.radar.early_fraud_warnings.retrieve_async(warning.id)).charge == made.id
    assert (await api.customers.retrieve_async(customer)).object == "customer"
    dispute = await sandbox.control("POST", f"/payment_intents/{intent}/dispute")
    assert (await api.disputes.retrieve_async(dispute["id"])).charge == made.id


async def test_an_early_fraud_warning_names_the_payment(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/radar/early_fraud_warnings"""
    by_card = await paid_intent(sandbox, "pm_card_createIssuerFraudRecord")
    on_demand = await paid_intent(sandbox)
    await sandbox.control("POST", f"/payment_intents/{on_demand}/early_fraud_warning")

    warnings = await sandbox.objects("event", type="radar.early_fraud_warning.created")
    assert [event["data"]["object"]["payment_intent"] for event in warnings] == [
        by_card,
        on_demand,
    ]
