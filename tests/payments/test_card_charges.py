"""A saved card is charged once for an order, with a reference of ours."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.events import PaymentFailed, PaymentSucceeded
from services.payments.db import sessions
from services.payments.settlement import verify
from tests.conftest import Signer
from tests.payments.bank import LOST, Bank, Json, authorization, refused
from tests.payments.conftest import charge, clients, found, outbox, outbox_types, payment, send, settle_all
from tests.payments.wallet import ME, OTHER, ordered, repeat, saved, success


async def test_a_repeat_charge_pays(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = success
    order = ordered(orders)
    answer = await repeat(client, mine, order, card, "key-1")
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["status"], shown["order_id"], shown["paid_amount"]) == ("succeeded", order, 50_000)
    (sent,) = bank.calls("charge_authorization")
    assert sent == {
        "authorization_code": "AUTH_4081",
        "reference": shown["reference"],
        "email": "payer@example.com",
        "amount": 50_000,
        "currency": "NGN",
        "metadata": {"order_id": order},
    }
    event = (await outbox())[-1]
    assert isinstance(event, PaymentSucceeded)
    assert event.data.order_id == UUID(order)
    # The webhook of it, and the same request again: nothing more.
    await send(client, charge(shown["reference"], authorization=authorization()))
    await settle_all()
    again = await repeat(client, mine, order, card, "key-1")
    assert (again.status_code, again.json()) == (201, shown)
    assert len(bank.calls("charge_authorization")) == 1
    assert await outbox_types() == ["payment.succeeded"] * 2


async def test_the_reference_is_stored_before_paystack_hears_it(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    seen: list[str] = []
    plain = clients().paystack.authorizations.charge

    async def watched(**asked: Any) -> Any:
        seen.append((await found(asked["reference"])).status)
        return await plain(**asked)

    clients().paystack.authorizations.charge = watched  # type: ignore[method-assign]
    bank.charge = success
    assert (await repeat(client, mine, ordered(orders), card)).json()["status"] == "succeeded"
    assert seen == ["pending"]


async def test_declined(client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]) -> None:
    card = await saved(client, mine)
    bank.charge = lambda body: success(body, status="failed", gateway_response="Insufficient Funds", authorization={})
    order = ordered(orders)
    shown = (await repeat(client, mine, order, card)).json()
    assert (shown["status"], shown["gateway_response"]) == ("failed", "Insufficient Funds")
    event = (await outbox())[-1]
    assert isinstance(event, PaymentFailed)
    # A new intent may try again: the other is known to have failed.
    bank.charge = success
    assert (await repeat(client, mine, order, card)).json()["status"] == "succeeded"
    first, second = bank.calls("charge_authorization")
    assert first["reference"] != second["reference"]


async def test_a_challenge_is_handed_to_the_payer(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    url = "https://checkout.paystack.com/resources/authorize/abc"
    bank.charge = lambda body: {"paused": True, "reference": body["reference"], "authorization_url": url}
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["authorization_url"]) == ("pending", url)
    await send(client, charge(shown["reference"]))
    await settle_all()
    assert (await found(shown["reference"])).status == "succeeded"


@pytest.mark.parametrize("status", ["pending", "processing", "queued", "ongoing", "send_otp", "timeout"])
async def test_not_decided_yet(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str], status: str
) -> None:
    card = await saved(client, mine)
    bank.charge = lambda body: success(body, status=status)
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["authorization_url"]) == ("pending", None)


async def test_a_lost_answer_is_swept_and_never_sent_again(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = lambda _: LOST
    order = ordered(orders)
    answer = await repeat(client, mine, order, card, "key-1")
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    reference = answer.json()["reference"]
    # Neither the same key nor another one charges again while it is not known.
    assert (await repeat(client, mine, order, card, "key-1")).json()["reference"] == reference
    other = await repeat(client, mine, order, card, "key-2")
    assert (other.status_code, other.json()["code"], other.json()["reference"]) == (409, "charge_pending", reference)
    # Paystack had charged it.
    bank.verified[reference] = success(bank.calls("charge_authorization")[0], requested_amount=50_000)
    await verify.verify_now(sessions, clients().paystack, reference)
    assert (await found(reference)).status == "succeeded"
    late = await repeat(client, mine, order, card, "key-3")
    assert (late.status_code, late.json()["code"]) == (409, "order_not_payable")
    assert len(bank.calls("charge_authorization")) == 1


async def test_ten_at_once_charge_once(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = lambda _: LOST
    order = ordered(orders)
    statuses = [a.status_code for a in await asyncio.gather(*(repeat(client, mine, order, card) for _ in range(10)))]
    assert sorted(set(statuses)) == [201, 409]
    assert statuses.count(201) == 1
    assert len(bank.calls("charge_authorization")) == 1


async def test_a_process_that_died_while_charging_charges_no_second_time(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = success
    order = ordered(orders)
    await payment(order_id=UUID(order), card_id=UUID(card["id"]))  # what it left
    answer = await repeat(client, mine, order, card)
    assert (answer.status_code, answer.json()["code"]) == (409, "charge_pending")
    assert bank.calls("charge_authorization") == []


async def test_fees_on_top_are_verified_and_pass(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)

    def with_fees(body: Json) -> Json:
        paid = success(body, amount=50_750)
        bank.verified[body["reference"]] = paid | {"requested_amount": 50_000}
        return paid

    bank.charge = with_fees
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["paid_amount"]) == ("succeeded", 50_750)


async def test_the_same_gate(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)

    def too_little(body: Json) -> Json:
        bank.verified[body["reference"]] = success(body, amount=20_000)
        return success(body, amount=20_000)

    bank.charge = too_little
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", "amount_differs")


REFUSALS = {
    "refused": (refused(400, "invalid_params", "Email does not match"), 422, "payment_refused"),
    "key": (httpx.Response(401, json={"status": False, "message": "Invalid key"}), 503, "paystack_unavailable"),
    "limit": (httpx.Response(429, json={"status": False}), 503, "paystack_unavailable"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_where_nothing_was_charged_another_try_is_free(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str], name: str
) -> None:
    response, status, code = REFUSALS[name]
    card = await saved(client, mine)
    bank.charge = lambda _: httpx.Response(response.status_code, content=response.content)
    order = ordered(orders)
    answer = await repeat(client, mine, order, card, "key-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    bank.charge = success
    assert (await repeat(client, mine, order, card, "key-1")).json()["status"] == "succeeded"


async def test_whose_card_and_whose_order(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str], signer: Signer
) -> None:
    card = await saved(client, mine)
    order = ordered(orders)
    stranger = await repeat(client, signer.headers(OTHER), order, card)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "card_not_found")
    missing = await repeat(client, mine, str(uuid4()), card)
    assert (missing.status_code, missing.json()["code"]) == (404, "order_not_found")
    over = await repeat(client, mine, ordered(orders, status="expired"), card)
    assert (over.status_code, over.json()["code"]) == (409, "order_not_payable")
    for headers, wanted in ((mine, 422), ({}, 401), (signer.headers(ME, scopes=frozenset()), 403)):
        body = {"order_id": order, "card_id": card["id"]}
        assert (await client.post("/payments/charge", json=body, headers=headers)).status_code == wanted
    assert bank.calls("charge_authorization") == []
