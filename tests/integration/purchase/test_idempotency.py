"""One intent, one effect, one answer: for all that costs or moves money."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest

from services.payments.cards.models import Card
from tests.commerce.shop import Json, Shop
from tests.conftest import ADMIN, Signer
from tests.payments.conftest import payment


class Call(NamedTuple):
    """`other`: a body that asks for something else. `effects`: a row for each time that it took effect."""

    path: str
    body: Json
    other: Json
    effects: str


async def an_order(shop: Shop) -> Call:
    product = await shop.product(100, 50_000)
    bodies = [{"items": [{"product_id": product, "quantity": quantity}]} for quantity in (1, 2)]
    return Call("/catalog/orders", bodies[0], bodies[1], "SELECT 1 FROM orders")


async def a_payment(shop: Shop) -> Call:
    order = (await shop.order(await shop.product(1, 50_000))).json()["id"]
    return Call("/payments", {"order_id": order}, {"order_id": order, "phone": "08012345678"}, "SELECT 1 FROM payments")


async def a_refund(shop: Shop) -> Call:
    one = await payment(status="succeeded", paid_amount=50_000, paid_currency="NGN")
    return Call(f"/payments/{one.reference}/refunds", {"amount": 100}, {"amount": 200}, "SELECT 1 FROM refunds")


async def a_charge(shop: Shop) -> Call:
    orders = [(await shop.order(await shop.product(1, 50_000))).json()["id"] for _ in range(2)]
    card = Card(
        id=uuid4(),
        payer_id="buyer-1",
        domain="test",
        signature="SIG_1",
        authorization_code="AUTH_1",
        email="payer@example.com",
        seen_at=datetime.now(UTC),
    )
    async with shop.payments.sessions.begin() as session:
        session.add(card)
    bodies = [{"order_id": order, "card_id": str(card.id)} for order in orders]
    return Call("/payments/charge", bodies[0], bodies[1], "SELECT 1 FROM payments")


Making = Callable[[Shop], Awaitable[Call]]
every = pytest.mark.parametrize("make", [an_order, a_payment, a_refund, a_charge])


async def sent(shop: Shop, call: Call, body: Json, caller: Json, key: str) -> httpx.Response:
    url = f"http://{call.path.split('/')[1]}.test{call.path}"
    return await shop.http.post(url, json=body, headers={**caller, "Idempotency-Key": key})


async def effects(shop: Shop, call: Call) -> int:
    return len(await shop.rows(shop.catalog if "catalog" in call.path else shop.payments, call.effects))


def caller_of(shop: Shop, call: Call) -> Json:
    return shop.operator if "refunds" in call.path else shop.buyer


@every
async def test_the_same_again_is_the_same_answer(shop: Shop, make: Making) -> None:
    call, key = await make(shop), uuid4().hex
    caller = caller_of(shop, call)
    first = await sent(shop, call, call.body, caller, key)
    assert first.status_code in {201, 202}, first.text
    for _ in range(2):
        again = await sent(shop, call, call.body, caller, key)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["content-type"] == first.headers["content-type"]
    other = await sent(shop, call, call.other, caller, key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await sent(shop, call, call.body, caller, key)).content == first.content
    assert await effects(shop, call) == 1


@every
async def test_twenty_at_once_are_one(shop: Shop, make: Making) -> None:
    call, key = await make(shop), uuid4().hex
    caller = caller_of(shop, call)
    answers = await asyncio.gather(*(sent(shop, call, call.body, caller, key) for _ in range(20)))
    bodies = {answer.content for answer in answers if answer.status_code in {201, 202}}
    assert len(bodies) == 1
    refused = {answer.json()["code"] for answer in answers if answer.status_code not in {201, 202}}
    assert refused <= {"idempotency_key_in_use"}
    assert await effects(shop, call) == 1


@every
async def test_the_key_of_another_is_not_seen(shop: Shop, signer: Signer, make: Making) -> None:
    """Another caller with the same key and the same body is answered for themselves."""
    call, key = await make(shop), uuid4().hex
    first = (await sent(shop, call, call.body, caller_of(shop, call), key)).json()
    stranger = signer.headers("somebody-else", **({"scopes": ADMIN} if "refunds" in call.path else {}))
    answer = await sent(shop, call, call.body, stranger, key)
    told: dict[str, Any] = answer.json()
    if call.path in {"/payments", "/payments/charge"}:
        assert (answer.status_code, told["code"]) == (404, "order_not_found")
        assert await effects(shop, call) == 1
    else:
        assert answer.status_code in {201, 202}
        assert UUID(told["id"]) != UUID(first["id"])
        assert await effects(shop, call) == 2
