"""A saved card is charged once for an order, under a reference that is stored before the call."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.events import PaymentFailed, PaymentSucceeded
from services.payments.clients import Clients
from services.payments.db import sessions
from services.payments.settlement import verify
from tests.factories.payments import create_payment
from tests.fakes.catalog import FakeCatalog
from tests.fakes.paystack import FakePaystack, authorization, charge_success, refusal
from tests.fixtures.payments_requests import charge_card, deliver, save_card, start_payment
from tests.fixtures.payments_rows import execute, find_payment, outbox_events, outbox_types
from tests.fixtures.tokens import Signer


async def test_charge_when_the_card_is_good_pays_the_order(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    order = catalog.add_order()
    answer = await charge_card(client, customer, order, card, "key-1")
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["status"], shown["order_id"], shown["paid_amount"]) == ("succeeded", order, 50_000)
    (sent,) = paystack.bodies_of("charge_authorization")
    assert sent == {
        "authorization_code": "AUTH_4081",
        "reference": shown["reference"],
        "email": "payer@example.com",
        "amount": 50_000,
        "currency": "NGN",
        "metadata": {"order_id": order},
    }
    event = (await outbox_events())[-1]
    assert isinstance(event, PaymentSucceeded)
    assert event.data.order_id == UUID(order)
    # Its webhook, and the same request again, change nothing more.
    await deliver(client, charge_success(shown["reference"], authorization=authorization()))
    again = await charge_card(client, customer, order, card, "key-1")
    assert (again.status_code, again.json()) == (201, shown)
    assert len(paystack.calls_to("charge_authorization")) == 1
    assert await outbox_types() == ["payment.succeeded", "payment.started", "payment.succeeded"]


@pytest.mark.parametrize(
    ("fields", "metadata"),
    [
        ({"metadata": {"campaign": "november"}}, {"campaign": "november"}),
        ({"metadata": {}}, {}),
        ({}, {"basket": "17"}),
    ],
)
async def test_charge_has_the_metadata_of_the_request_or_of_its_order(
    client: httpx.AsyncClient,
    paystack: FakePaystack,
    catalog: FakeCatalog,
    customer: dict[str, str],
    fields: dict[str, Any],
    metadata: dict[str, str],
) -> None:
    card = await save_card(client, customer)
    order = catalog.add_order(metadata={"basket": "17"})
    shown = (await charge_card(client, customer, order, card, **fields)).json()
    assert (shown["status"], shown["metadata"]) == ("succeeded", metadata)
    assert paystack.bodies_of("charge_authorization")[-1]["metadata"] == {**metadata, "order_id": order}
    event = (await outbox_events())[-1]
    assert event.data.metadata == metadata
    refused = await charge_card(client, customer, order, card, metadata={"order_id": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_charge_when_it_is_sent_has_its_reference_stored(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    held = paystack.hold("charge_authorization")
    charging = asyncio.create_task(charge_card(client, customer, catalog.add_order(), card))
    await asyncio.wait_for(held.arrived.wait(), 5)
    (call,) = paystack.calls_to("charge_authorization")
    assert (await find_payment(call.body["reference"])).status == "pending"
    held.release.set()
    assert (await charging).json()["status"] == "succeeded"


async def test_charge_when_it_is_declined_fails_and_another_may_be_tried(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    paystack.saved_card_answer = {
        "status": "failed",
        "gateway_response": "Insufficient Funds",
        "authorization": {},
    }
    order = catalog.add_order()
    shown = (await charge_card(client, customer, order, card)).json()
    assert (shown["status"], shown["gateway_response"]) == ("failed", "Insufficient Funds")
    event = (await outbox_events())[-1]
    assert isinstance(event, PaymentFailed)
    # The first is known to have failed, so another may be sent.
    paystack.saved_card_answer = {"status": "success"}
    assert (await charge_card(client, customer, order, card)).json()["status"] == "succeeded"
    first, second = paystack.bodies_of("charge_authorization")
    assert first["reference"] != second["reference"]


async def test_charge_when_the_bank_challenges_the_payer_returns_the_authorization_url(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    url = "https://checkout.paystack.com/resources/authorize/abc"
    paystack.saved_card_answer = {"paused": True, "authorization_url": url}
    shown = (await charge_card(client, customer, catalog.add_order(), card)).json()
    assert (shown["status"], shown["authorization_url"]) == ("pending", url)
    other = await charge_card(client, customer, shown["order_id"], card)
    assert (other.json()["code"], other.json()["reference"]) == ("charge_pending", shown["reference"])
    assert "send the payer to its `authorization_url`" in other.json()["detail"]
    # A payer who cannot authorize it may pay on a new page.
    assert (await start_payment(client, customer, shown["order_id"])).status_code == 201
    await deliver(client, charge_success(shown["reference"]))
    assert (await find_payment(shown["reference"])).status == "succeeded"


@pytest.mark.parametrize("status", ["pending", "processing", "queued", "ongoing", "send_otp", "timeout"])
async def test_charge_when_it_is_not_decided_stays_pending(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str], status: str
) -> None:
    card = await save_card(client, customer)
    paystack.saved_card_answer = {"status": status}
    shown = (await charge_card(client, customer, catalog.add_order(), card)).json()
    assert (shown["status"], shown["authorization_url"]) == ("pending", None)


async def test_charge_when_its_answer_is_lost_is_verified_and_never_sent_again(
    client: httpx.AsyncClient,
    paystack: FakePaystack,
    catalog: FakeCatalog,
    customer: dict[str, str],
    clients: Clients,
) -> None:
    card = await save_card(client, customer)
    paystack.lose_answers("charge_authorization")
    order = catalog.add_order()
    answer = await charge_card(client, customer, order, card, "key-1")
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    reference = answer.json()["reference"]
    # Neither the same key nor another one charges again while the outcome is unknown.
    assert (await charge_card(client, customer, order, card, "key-1")).json()["reference"] == reference
    other = await charge_card(client, customer, order, card, "key-2")
    assert (other.status_code, other.json()["code"], other.json()["reference"]) == (409, "charge_pending", reference)
    # Nor is a payment started: the payer could pay twice.
    page = await start_payment(client, customer, order)
    assert (page.status_code, page.json()["code"], page.json()["reference"]) == (409, "charge_pending", reference)
    # Paystack had charged it.
    await verify.verify_now(sessions, clients.paystack, reference)
    assert (await find_payment(reference)).status == "succeeded"
    late = await charge_card(client, customer, order, card, "key-3")
    assert (late.status_code, late.json()["code"]) == (409, "order_not_payable")
    assert len(paystack.calls_to("charge_authorization")) == 1


async def test_charge_when_ten_arrive_at_once_is_sent_once(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    paystack.lose_answers("charge_authorization", times=None)
    order = catalog.add_order()
    answers = await asyncio.gather(*(charge_card(client, customer, order, card) for _ in range(10)))
    statuses = [answer.status_code for answer in answers]
    assert sorted(set(statuses)) == [201, 409]
    assert statuses.count(201) == 1
    assert len(paystack.calls_to("charge_authorization")) == 1


async def test_charge_when_an_earlier_process_died_while_charging_is_not_sent_again(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    order = catalog.add_order()
    await create_payment(order_id=UUID(order), card_id=UUID(card["id"]))  # the row that it left
    answer = await charge_card(client, customer, order, card)
    assert (answer.status_code, answer.json()["code"]) == (409, "charge_pending")
    assert paystack.calls_to("charge_authorization") == []


async def test_charge_when_paystack_does_not_know_the_earlier_one_after_a_minute_is_sent(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str], clients: Clients
) -> None:
    card = await save_card(client, customer)
    for age, answers in (("50 seconds", 409), ("61 seconds", 201)):
        order = catalog.add_order()
        died = await create_payment(order_id=UUID(order), card_id=UUID(card["id"]))
        await execute(f"UPDATE payments SET created_at = now() - interval '{age}' WHERE reference = '{died.reference}'")
        await verify.verify_now(sessions, clients.paystack, died.reference)
        assert (await start_payment(client, customer, order)).status_code == answers
        assert (await charge_card(client, customer, order, card)).status_code == answers


async def test_charge_when_fees_come_on_top_is_verified_and_passes(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    paystack.saved_card_answer = {"amount": 50_750, "fees": 750}
    shown = (await charge_card(client, customer, catalog.add_order(), card)).json()
    assert (shown["status"], shown["paid_amount"]) == ("succeeded", 50_750)
    assert paystack.verified() == [shown["reference"]]


async def test_charge_when_too_little_is_paid_is_held(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str]
) -> None:
    card = await save_card(client, customer)
    paystack.saved_card_answer = {"amount": 20_000}
    shown = (await charge_card(client, customer, catalog.add_order(), card)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", "amount_differs")


REFUSALS = {
    "refused": (refusal(400, "invalid_params", "Email does not match"), 422, "payment_refused"),
    "key rejected": (refusal(401, "invalid_Key", "Invalid key"), 503, "paystack_unavailable"),
    "rate limited": (httpx.Response(429, json={"status": False}), 503, "paystack_unavailable"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_charge_when_paystack_refuses_it_may_be_tried_again_with_the_same_key(
    client: httpx.AsyncClient, paystack: FakePaystack, catalog: FakeCatalog, customer: dict[str, str], name: str
) -> None:
    fault, status, code = REFUSALS[name]
    card = await save_card(client, customer)
    paystack.fail(fault, operation="charge_authorization")
    order = catalog.add_order()
    answer = await charge_card(client, customer, order, card, "key-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await charge_card(client, customer, order, card, "key-1")).json()["status"] == "succeeded"


async def test_charge_when_the_card_or_the_order_is_not_the_callers_is_refused(
    client: httpx.AsyncClient,
    paystack: FakePaystack,
    catalog: FakeCatalog,
    customer: dict[str, str],
    signer: Signer,
) -> None:
    card = await save_card(client, customer)
    order = catalog.add_order()
    stranger = await charge_card(client, signer.headers("customer-2"), order, card)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "card_not_found")
    missing = await charge_card(client, customer, str(uuid4()), card)
    assert (missing.status_code, missing.json()["code"]) == (404, "order_not_found")
    over = await charge_card(client, customer, catalog.add_order(status="expired"), card)
    assert (over.status_code, over.json()["code"]) == (409, "order_not_payable")
    for headers, status in ((customer, 422), ({}, 401), (signer.headers("customer-1", scopes=frozenset()), 403)):
        body = {"order_id": order, "card_id": card["id"]}
        assert (await client.post("/payments/charge", json=body, headers=headers)).status_code == status
    assert paystack.calls_to("charge_authorization") == []
