"""Money for an order that cannot be delivered goes back by itself, once, and everybody can see it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from services.payments import db as payments_db
from services.payments.metrics import Metrics, attention
from tests.commerce.house import Transaction
from tests.commerce.shop import Json, Shop
from tests.conftest import Signer

Undoing = Callable[[Shop, str, str], Awaitable[None]]


async def expired_and_sold_out(shop: Shop, product: str, order: str) -> None:
    await shop.lapse(order)
    await shop.work("expire")
    assert (await shop.order(product)).status_code == 201


async def cancelled(shop: Shop, product: str, order: str) -> None:
    assert (await shop.asked("POST", f"/catalog/orders/{order}/cancel")).status_code == 200


async def already_paid(shop: Shop, product: str, order: str) -> None:
    await paid(shop, await started(shop, order))


async def unknown_order(shop: Shop, product: str, order: str) -> None:
    """As after a restore of catalog from a backup."""
    async with shop.catalog.sessions.begin() as session:
        await session.execute(text("DELETE FROM orders WHERE id = :of"), {"of": order})


async def amount_differs(shop: Shop, product: str, order: str) -> None:
    async with shop.catalog.sessions.begin() as session:
        await session.execute(text("UPDATE orders SET amount = amount + 1 WHERE id = :of"), {"of": order})


KINDS = {
    expired_and_sold_out: ("expired", "The payment came after the order had expired, and what was ordered is sold out"),
    cancelled: ("cancelled", "The order was cancelled before the payment came"),
    already_paid: ("delivered", "The order was paid already"),
    unknown_order: (None, "The order that this payment is for does not exist"),
    amount_differs: ("pending", "The payment is not of the order's amount"),
}


async def started(shop: Shop, order: str) -> Transaction:
    answer = await shop.asked("POST", "/payments", {"order_id": order})
    return shop.house.transactions[answer.json()["reference"]]


async def paid(shop: Shop, one: Transaction) -> None:
    """Through settlement and both queues, to the order for a refund; some of it twice."""
    shop.house.pay(one, "success", paid=one.asked)
    await shop.receive()
    await shop.work("settle")
    await shop.payments.relay(shop.catalog, confirmed=False)
    await shop.payments.relay(shop.catalog)
    await shop.catalog.take(range(len(shop.catalog.queue)), acked=True)
    await shop.catalog.relay(shop.payments)
    await shop.payments.take(range(len(shop.payments.queue)), acked=False)
    await shop.payments.take(range(len(shop.payments.queue)), acked=True)


async def seen(shop: Shop, path: str, by: Json | None = None) -> Any:
    answer = await shop.asked("GET", path, by=by)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def undeliverable(shop: Shop, request: pytest.FixtureRequest) -> tuple[str, Transaction]:
    product = await shop.product(1, 50_000)
    order = (await shop.order(product)).json()["id"]
    one = await started(shop, order)
    await request.param(shop, product, order)
    await paid(shop, one)
    return order, one


@pytest.mark.parametrize(
    ("undeliverable", "status", "reason"),
    [(kind, *shown) for kind, shown in KINDS.items()],
    indirect=["undeliverable"],
    ids=[kind.__name__ for kind in KINDS],
)
async def test_it_goes_back_once_and_is_shown(
    shop: Shop, undeliverable: tuple[str, Transaction], status: str | None, reason: str
) -> None:
    order, one = undeliverable
    on_its_way = await seen(shop, f"/payments/{one.reference}")
    assert (on_its_way["status"], on_its_way["refunded_amount"], on_its_way["refunding_amount"]) == (
        "succeeded",
        0,
        50_000,
    )
    for reader in (shop.buyer, shop.operator):
        (refund,) = (await seen(shop, f"/payments/{one.reference}/refunds", reader))["items"]
        assert (refund["amount"], refund["status"], refund["reason"]) == (50_000, "requested", reason)
        assert refund["requested_by"] == "catalog"
    await shop.work("refund")
    (at_paystack,) = one.refunds
    shop.house.end_refund(one, at_paystack, "processed")
    for _ in range(3):
        await shop.round()
    assert await shop.waiting() == []
    assert (len(one.refunds), one.back) == (1, one.paid)
    back = await seen(shop, f"/payments/{one.reference}")
    assert (back["status"], back["refunded_amount"], back["refunding_amount"]) == ("refunded", 50_000, 0)
    if status is None:
        assert (await shop.asked("GET", f"/catalog/orders/{order}")).status_code == 404
        return
    shown = await seen(shop, f"/catalog/orders/{order}")
    assert shown["status"] == status
    if status != "pending":
        told = {"reference": one.reference, "outcome": "undeliverable", "refunded_amount": 50_000}
        assert told in shown["payments"]
        assert len(shown["payments"]) == (2 if status == "delivered" else 1)


@pytest.mark.parametrize("undeliverable", [cancelled], indirect=True)
async def test_what_fails_to_go_back_waits_for_a_person(shop: Shop, undeliverable: tuple[str, Transaction]) -> None:
    _, one = undeliverable
    await shop.work("refund")
    shop.house.end_refund(one, one.refunds[0], "failed")
    await shop.round()
    await Metrics(payments_db.sessions).measure()
    assert attention._value.get() == 1
    assert (await seen(shop, f"/payments/{one.reference}"))["status"] == "succeeded"
    assert (await shop.refund(one.reference)).status_code == 202
    await shop.work("refund")
    shop.house.end_refund(one, one.refunds[1], "processed")
    await shop.round()
    await Metrics(payments_db.sessions).measure()
    assert attention._value.get() == 0
    assert (await seen(shop, f"/payments/{one.reference}"))["status"] == "refunded"


async def test_nobody_sees_the_refunds_of_another(shop: Shop, signer: Signer) -> None:
    order = (await shop.order(await shop.product(1, 50_000))).json()["id"]
    one = await started(shop, order)
    stranger = signer.headers("buyer-2")
    assert (await shop.asked("GET", f"/payments/{one.reference}/refunds", by=stranger)).status_code == 404
