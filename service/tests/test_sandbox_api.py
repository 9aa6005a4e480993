"""The sandbox answers like Stripe's API: keys, parameters, errors, lists, idempotency."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe
from aiohttp import encode_basic_auth

from .sandboxes import KEY, RunningSandbox, charge_params, running_test_sandbox, session_params

CUSTOMERS = "/v1/customers"
INTENTS = "/v1/payment_intents"


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_test_sandbox() as sandbox:
        yield sandbox


async def post(
    sandbox: RunningSandbox, path: str, form: str, **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """A request as it goes over the wire; `Idempotency_Key` is a header."""
    sent = {
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "application/x-www-form-urlencoded",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    async with sandbox.client.post(sandbox.url + path, data=form, headers=sent) as response:
        return response.status, await response.json(), dict(response.headers)


async def test_the_key_comes_as_bearer_or_as_user_of_basic_authentication(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/api/authentication"""
    url = sandbox.url + "/v1/account"
    for key in ("sk_test_abc", "rk_test_abc"):
        async with sandbox.client.get(
            url, headers={"Authorization": encode_basic_auth(key, "")}
        ) as response:
            assert response.status == 200
    account = await sandbox.stripe.v1.accounts.retrieve_current_async()
    assert account.id.startswith("acct_")
    assert (await sandbox.stripe.v1.accounts.retrieve_current_async()).id == account.id


@pytest.mark.parametrize("key", ["", "sk_live_abc", "rk_live_abc", "pk_test_abc"])
async def test_no_key_a_live_key_or_a_publishable_key_is_401(
    sandbox: RunningSandbox, key: str
) -> None:
    """https://docs.stripe.com/api/errors"""
    status, body, _ = await post(sandbox, CUSTOMERS, "", Authorization=f"Bearer {key}")

    assert status == 401
    assert body["error"]["type"] == "invalid_request_error"
    assert await sandbox.count("customer") == 0


async def test_an_unknown_parameter_is_refused_by_its_name(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/error-codes: parameter_unknown"""
    status, body, _ = await post(sandbox, CUSTOMERS, "metadata[a]=b&nickname=x")
    assert (status, body["error"]["code"]) == (400, "parameter_unknown")
    assert body["error"]["param"] == "nickname"
    assert body["error"]["message"] == "Received unknown parameter: nickname"

    params = session_params(line_items=[{"prize": "p", "quantity": 1}])
    with pytest.raises(stripe.InvalidRequestError) as error:
        await sandbox.stripe.v1.checkout.sessions.create_async(params)
    assert error.value.param == "line_items[0][prize]"


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ("currency=gbp", "parameter_missing", "amount"),
        ("amount=5000", "parameter_missing", "currency"),
        ("amount=fifty&currency=gbp", "parameter_invalid_integer", "amount"),
        ("amount=0&currency=gbp", "parameter_invalid_integer", "amount"),
        ("amount=29&currency=gbp", "amount_too_small", "amount"),
        ("amount=100000000&currency=gbp", "amount_too_large", "amount"),
        ("amount=5000&currency=zzz", None, "currency"),
        ("amount=5000&currency=gbp&customer=cus_none", "resource_missing", "customer"),
        ("amount=5000&currency=gbp&payment_method=pm_none", "resource_missing", "payment_method"),
        ("amount=5000&currency=gbp&off_session=true", None, "off_session"),
    ],
)
async def test_what_is_wrong_with_a_parameter_has_a_code_and_its_name(
    sandbox: RunningSandbox, form: str, code: str | None, param: str
) -> None:
    """https://docs.stripe.com/error-codes"""
    status, body, _ = await post(sandbox, INTENTS, form)

    assert (status, body["error"].get("code")) == (400, code)
    assert body["error"]["param"] == param
    assert await sandbox.count("payment_intent") == 0


async def test_an_object_that_does_not_exist_is_404(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/error-codes: resource_missing"""
    with pytest.raises(stripe.InvalidRequestError) as error:
        await sandbox.stripe.v1.payment_intents.retrieve_async("pi_none")
    assert error.value.http_status == 404
    assert error.value.code == "resource_missing"

    async with sandbox.client.get(
        sandbox.url + "/v1/frobnicates", headers={"Authorization": f"Bearer {KEY}"}
    ) as response:
        assert response.status == 404
        assert "Unrecognized request URL" in (await response.json())["error"]["message"]


async def test_objects_stand_in_for_their_ids_where_asked(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/expanding_objects"""
    intents = sandbox.stripe.v1.payment_intents
    params = charge_params(*await sandbox.add_customer(), expand=["latest_charge"])
    intent = await intents.create_async(params)
    listed = await intents.list_async({"expand": ["data.latest_charge.customer"]})

    assert intent.latest_charge.amount == 50_00  # type: ignore[union-attr]
    assert listed.data[0].latest_charge.customer.object == "customer"  # type: ignore[union-attr]


async def test_lists_are_paged_from_the_newest_to_the_oldest(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/pagination"""
    intents = sandbox.stripe.v1.payment_intents
    customer, card = await sandbox.add_customer()
    made = [(await intents.create_async(charge_params(customer, card))).id for _ in range(5)]
    newest_first = made[::-1]

    first = await intents.list_async({"customer": customer, "limit": 2})
    assert [intent.id for intent in first.data] == newest_first[:2]
    assert first.has_more

    rest = await intents.list_async({"limit": 3, "starting_after": newest_first[1]})
    assert [intent.id for intent in rest.data] == newest_first[2:]
    assert not rest.has_more

    before = await intents.list_async({"limit": 2, "ending_before": newest_first[3]})
    assert [intent.id for intent in before.data] == newest_first[1:3]
    assert before.has_more

    assert [intent.id async for intent in first.auto_paging_iter()] == newest_first
    assert (await intents.list_async({"customer": (await sandbox.add_customer())[0]})).data == []


async def test_lists_are_narrowed_by_creation_time(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/payment_intents/list"""
    intents = sandbox.stripe.v1.payment_intents
    params = charge_params(*await sandbox.add_customer())
    early = await intents.create_async(params)
    await sandbox.control("POST", "/clock", {"seconds": 3600})
    late = await intents.create_async(params)

    async def created(**bounds: int) -> list[str]:
        params: Any = {"created": bounds}
        return [intent.id for intent in (await intents.list_async(params)).data]

    assert await created(gte=late.created) == [late.id]
    assert await created(gt=late.created) == []
    assert await created(lt=late.created) == [early.id]
    assert await created(gte=early.created, lte=late.created) == [late.id, early.id]


async def test_the_first_answer_to_a_key_is_the_answer_to_each_repetition(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/api/idempotent_requests"""
    first = await post(sandbox, CUSTOMERS, "name=a&email=b", Idempotency_Key="k")
    again = await post(sandbox, CUSTOMERS, "email=b&name=a", Idempotency_Key="k")

    assert again[:2] == first[:2]
    assert "Idempotent-Replayed" not in first[2]
    assert again[2]["Idempotent-Replayed"] == "true"
    assert await sandbox.count("customer") == 1


async def test_a_key_is_for_one_request_with_its_parameters(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/idempotent_requests: parameters are compared"""
    await post(sandbox, CUSTOMERS, "name=a", Idempotency_Key="k")

    for path, form in ((CUSTOMERS, "name=b"), (INTENTS, "amount=5000&currency=gbp")):
        status, body, _ = await post(sandbox, path, form, Idempotency_Key="k")
        assert (status, body["error"]["type"]) == (400, "idempotency_error")
    with pytest.raises(stripe.IdempotencyError):
        await sandbox.stripe.v1.customers.create_async({"name": "c"}, {"idempotency_key": "k"})
    assert await sandbox.count("customer") == 1
    assert await sandbox.count("payment_intent") == 0


async def test_a_key_that_is_in_use_is_409(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/error-codes: idempotency_key_in_use"""
    await sandbox.fault("POST", CUSTOMERS, delay_seconds=0.3)
    first = asyncio.create_task(post(sandbox, CUSTOMERS, "name=a", Idempotency_Key="k"))
    async with asyncio.timeout(5):
        while True:
            if await sandbox.requests("POST", CUSTOMERS):
                break
            await asyncio.sleep(0.01)

    status, body, _ = await post(sandbox, CUSTOMERS, "name=a", Idempotency_Key="k")
    assert (status, body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert (await first)[0] == 200

    # That answer was not saved.
    status, body, _ = await post(sandbox, CUSTOMERS, "name=a", Idempotency_Key="k")
    assert (status, body["id"]) == (200, (await first)[1]["id"])


async def test_a_request_that_fails_validation_may_come_again_corrected(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/api/idempotent_requests: saved once execution began"""
    for form in ("amount=x&currency=gbp", "amount=5000&currency=gbp&customer=cus_none"):
        assert (await post(sandbox, INTENTS, form, Idempotency_Key="k"))[0] == 400

    assert (await post(sandbox, INTENTS, "amount=5000&currency=gbp", Idempotency_Key="k"))[0] == 200


async def test_a_decline_is_replayed_instead_of_being_charged_again(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/error-low-level: whatever came of the execution is saved"""
    customer, card = await sandbox.add_customer("pm_card_chargeCustomerFail")
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as error:
            await sandbox.stripe.v1.payment_intents.create_async(
                charge_params(customer, card), {"idempotency_key": "k"}
            )
        errors.append(error.value)

    assert errors[0].json_body == errors[1].json_body
    assert errors[1].headers["Idempotent-Replayed"] == "true"  # type: ignore[index]
    assert await sandbox.count("payment_intent") == 1
    assert await sandbox.count("charge") == 1


async def test_a_conflict_with_the_state_of_an_object_is_replayed(
    sandbox: RunningSandbox,
) -> None:
    """https://docs.stripe.com/error-low-level: a 400 is followed by the same 400"""
    _, intent, _ = await post(sandbox, INTENTS, "amount=5000&currency=gbp")
    path = f"{INTENTS}/{intent['id']}/confirm"

    first = await post(sandbox, path, "", Idempotency_Key="k")
    again = await post(sandbox, path, "", Idempotency_Key="k")
    assert (first[0], first[1]["error"]["code"]) == (400, "payment_intent_unexpected_state")
    assert again[1] == first[1]
    assert again[2]["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("how", ["forgotten", "24 hours later"])
async def test_a_key_that_was_pruned_makes_a_second_payment(
    sandbox: RunningSandbox, how: str
) -> None:
    """https://docs.stripe.com/api/idempotent_requests: keys of 24 hours may be removed"""
    params = charge_params(*await sandbox.add_customer())
    create = sandbox.stripe.v1.payment_intents.create_async
    first = await create(params, {"idempotency_key": "k"})
    assert (await create(params, {"idempotency_key": "k"})).id == first.id

    if how == "forgotten":
        await sandbox.forget_keys()
    else:
        await sandbox.control("POST", "/clock", {"seconds": 24 * 3600})
    assert (await create(params, {"idempotency_key": "k"})).id != first.id
    assert await sandbox.count("payment_intent") == 2


async def test_metadata_have_limits(sandbox: RunningSandbox) -> None:
    """https://docs.stripe.com/api/metadata"""
    for metadata in ({"k" * 41: "v"}, {"k": "v" * 501}, {f"k{i}": "v" for i in range(51)}):
        with pytest.raises(stripe.InvalidRequestError):
            await sandbox.stripe.v1.customers.create_async({"metadata": metadata})
    customer = await sandbox.stripe.v1.customers.create_async({"metadata": {"a": "b", "c": ""}})
    assert customer.metadata is not None
    assert customer.metadata.to_dict() == {"a": "b"}


async def test_the_control_api_is_not_for_pages_in_a_browser(sandbox: RunningSandbox) -> None:
    async with sandbox.client.delete(
        sandbox.url + "/_sandbox/idempotency_keys", headers={"Origin": "https://example.com"}
    ) as response:
        assert response.status == 403
