"""One idempotency key has one effect and one answer: orders, payments, refunds, card charges."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest

from services.payments.cards.models import Card
from tests.factories.payments import create_paid_payment
from tests.fakes.paystack import Json
from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.tokens import ADMIN, Signer


class Call(NamedTuple):
    """`other`: a body that requests something else. `effects`: a query with one row for each effect."""

    path: str
    body: Json
    other: Json
    effects: str


async def an_order(shop: InProcessShop) -> Call:
    product = await shop.create_product(stock=100)
    bodies = [{"items": [{"product_id": product, "quantity": quantity}]} for quantity in (1, 2)]
    return Call("/catalog/orders", bodies[0], bodies[1], "SELECT 1 FROM orders")


async def a_payment(shop: InProcessShop) -> Call:
    order = (await shop.place_order(await shop.create_product(stock=1))).json()["id"]
    return Call("/payments", {"order_id": order}, {"order_id": order, "phone": "08012345678"}, "SELECT 1 FROM payments")


async def a_refund(shop: InProcessShop) -> Call:
    one = await create_paid_payment()
    return Call(f"/payments/{one.reference}/refunds", {"amount": 100}, {"amount": 200}, "SELECT 1 FROM refunds")


async def a_charge(shop: InProcessShop) -> Call:
    orders = [(await shop.place_order(await shop.create_product(stock=1))).json()["id"] for _ in range(2)]
    card = Card(
        id=uuid4(),
        customer_id="buyer-1",
        domain="test",
        signature="SIG_1",
        authorization_code="AUTH_1",
        email="payer@example.com",
        last_payment_started_at=datetime.now(UTC),
    )
    async with shop.payments.sessions.begin() as session:
        session.add(card)
    bodies = [{"order_id": order, "card_id": str(card.id)} for order in orders]
    return Call("/payments/charge", bodies[0], bodies[1], "SELECT 1 FROM payments")


Prepare = Callable[[InProcessShop], Awaitable[Call]]
every_call = pytest.mark.parametrize("prepare", [an_order, a_payment, a_refund, a_charge])


async def send(shop: InProcessShop, call: Call, body: Json, caller: Json, key: str) -> httpx.Response:
    url = f"http://{call.path.split('/')[1]}.test{call.path}"
    return await shop.http.post(url, json=body, headers={**caller, "Idempotency-Key": key})


async def count_effects(shop: InProcessShop, call: Call) -> int:
    return len(await shop.rows(shop.catalog if "catalog" in call.path else shop.payments, call.effects))


def caller_of(shop: InProcessShop, call: Call) -> Json:
    return shop.operator if "refunds" in call.path else shop.customer


@every_call
async def test_repeated_request_gets_the_same_answer_and_has_one_effect(shop: InProcessShop, prepare: Prepare) -> None:
    call, key = await prepare(shop), uuid4().hex
    caller = caller_of(shop, call)
    first = await send(shop, call, call.body, caller, key)
    assert first.status_code in {201, 202}, first.text
    for _ in range(2):
        again = await send(shop, call, call.body, caller, key)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["content-type"] == first.headers["content-type"]
    other = await send(shop, call, call.other, caller, key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await send(shop, call, call.body, caller, key)).content == first.content
    assert await count_effects(shop, call) == 1


@every_call
async def test_twenty_equal_requests_at_once_have_one_effect(shop: InProcessShop, prepare: Prepare) -> None:
    call, key = await prepare(shop), uuid4().hex
    caller = caller_of(shop, call)
    answers = await asyncio.gather(*(send(shop, call, call.body, caller, key) for _ in range(20)))
    bodies = {answer.content for answer in answers if answer.status_code in {201, 202}}
    assert len(bodies) == 1
    refused = {answer.json()["code"] for answer in answers if answer.status_code not in {201, 202}}
    assert refused <= {"idempotency_key_in_use"}
    assert await count_effects(shop, call) == 1


@every_call
async def test_same_key_of_another_caller_is_independent(shop: InProcessShop, signer: Signer, prepare: Prepare) -> None:
    """Another caller with the same key and body gets their own answer."""
    call, key = await prepare(shop), uuid4().hex
    first = (await send(shop, call, call.body, caller_of(shop, call), key)).json()
    stranger = signer.headers("buyer-2", **({"scopes": ADMIN} if "refunds" in call.path else {}))
    answer = await send(shop, call, call.body, stranger, key)
    found: dict[str, Any] = answer.json()
    if call.path in {"/payments", "/payments/charge"}:
        assert (answer.status_code, found["code"]) == (404, "order_not_found")
        assert await count_effects(shop, call) == 1
    else:
        assert answer.status_code in {201, 202}
        assert UUID(found["id"]) != UUID(first["id"])
        assert await count_effects(shop, call) == 2
