"""A payment for an undeliverable order is refunded automatically, once; customer and operator see why."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from services.payments import db as payments_db
from services.payments.metrics import Metrics
from tests.fakes.paystack import Json, Transaction
from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.metrics import metric
from tests.fixtures.tokens import Signer


async def expired_and_sold_out(shop: InProcessShop, product: str, order: str) -> None:
    await shop.end_reservation(order)
    await shop.run_job("expire")
    assert (await shop.place_order(product)).status_code == 201


async def cancelled(shop: InProcessShop, product: str, order: str) -> None:
    assert (await shop.request("POST", f"/catalog/orders/{order}/cancel")).status_code == 200


async def already_paid(shop: InProcessShop, product: str, order: str) -> None:
    await paid(shop, await started(shop, order))


async def unknown_order(shop: InProcessShop, product: str, order: str) -> None:
    """Delete the order, as a restore of an older backup of catalog does."""
    async with shop.catalog.sessions.begin() as session:
        await session.execute(text("DELETE FROM orders WHERE id = :of"), {"of": order})


KINDS = {
    expired_and_sold_out: (
        "expired",
        "Your payment arrived after your order had expired, and the products are sold out",
    ),
    cancelled: ("cancelled", "Your order was cancelled before your payment arrived"),
    already_paid: ("delivered", "Your order was already paid"),
    unknown_order: (None, "There is no order for this payment"),
}


async def started(shop: InProcessShop, order: str) -> Transaction:
    answer = await shop.request("POST", "/payments", {"order_id": order})
    return shop.paystack.transactions[answer.json()["reference"]]


async def paid(shop: InProcessShop, one: Transaction) -> None:
    """Pay and settle, and exchange events until the refund is requested. Some events are delivered twice."""
    shop.paystack.pay(one, paid=one.requested)
    await shop.deliver_webhooks()
    await shop.run_job("process")
    await shop.payments.relay(shop.catalog, confirmed=False)
    await shop.payments.relay(shop.catalog)
    await shop.catalog.consume()
    await shop.catalog.relay(shop.payments)
    await shop.payments.consume(acked=False)
    await shop.payments.consume()


async def get(shop: InProcessShop, path: str, by: Json | None = None) -> Any:
    answer = await shop.request("GET", path, by=by)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def undeliverable(shop: InProcessShop, request: pytest.FixtureRequest) -> tuple[str, Transaction]:
    product = await shop.create_product(stock=1)
    order = (await shop.place_order(product)).json()["id"]
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
async def test_payment_for_an_undeliverable_order_is_refunded_once_and_shown(
    shop: InProcessShop, undeliverable: tuple[str, Transaction], status: str | None, reason: str
) -> None:
    order, one = undeliverable
    while_refunding = await get(shop, f"/payments/{one.reference}")
    assert (while_refunding["status"], while_refunding["refunded_amount"], while_refunding["refunding_amount"]) == (
        "succeeded",
        0,
        50_000,
    )
    for reader in (shop.customer, shop.operator):
        (refund,) = (await get(shop, f"/payments/{one.reference}/refunds", reader))["items"]
        assert (refund["amount"], refund["status"], refund["reason"]) == (50_000, "requested", reason)
        assert refund["requested_by"] == "catalog"
    await shop.run_job("refund")
    (at_paystack,) = one.refunds
    shop.paystack.end_refund(one, at_paystack)
    for _ in range(3):
        await shop.run_round()
    assert await shop.unfinished() == []
    assert (len(one.refunds), one.returned) == (1, one.paid)
    refunded = await get(shop, f"/payments/{one.reference}")
    assert (refunded["status"], refunded["refunded_amount"], refunded["refunding_amount"]) == ("refunded", 50_000, 0)
    if status is None:
        assert (await shop.request("GET", f"/catalog/orders/{order}")).status_code == 404
        return
    shown = await get(shop, f"/catalog/orders/{order}")
    assert shown["status"] == status
    expected = {
        "reference": one.reference,
        "outcome": "undeliverable",
        "refunded_amount": 50_000,
        "dispute_lost": False,
    }
    found = [{name: payment[name] for name in expected} for payment in shown["payments"]]
    assert expected in found
    assert all(datetime.fromisoformat(payment["reported_at"]).tzinfo for payment in shown["payments"])
    assert len(shown["payments"]) == (2 if status == "delivered" else 1)


async def test_payment_when_its_amount_differs_from_the_order_waits_for_an_operator(shop: InProcessShop) -> None:
    order = (await shop.place_order(await shop.create_product(stock=1))).json()["id"]
    one = await started(shop, order)
    async with shop.catalog.sessions.begin() as session:
        await session.execute(text("UPDATE orders SET amount = amount + 1 WHERE id = :of"), {"of": order})
    await paid(shop, one)
    assert (await get(shop, f"/catalog/orders/{order}"))["status"] == "pending"
    assert (await get(shop, f"/payments/{one.reference}"))["refunding_amount"] == 0
    query = "SELECT DISTINCT status, error FROM inbox WHERE status <> 'processed'"
    expected = ("failed", f"the event states NGN 500.00; the amount of order {order} is NGN 500.01")
    assert [tuple(row) for row in await shop.rows(shop.catalog, query)] == [expected]


@pytest.mark.parametrize("undeliverable", [cancelled], indirect=True)
async def test_failed_refund_of_an_undeliverable_order_needs_an_operator(
    shop: InProcessShop, undeliverable: tuple[str, Transaction]
) -> None:
    _, one = undeliverable
    await shop.run_job("refund")
    shop.paystack.end_refund(one, one.refunds[0], "failed")
    await shop.run_round()
    await Metrics(payments_db.sessions).measure()
    assert metric("refunds_that_need_an_operator") == 1
    assert (await get(shop, f"/payments/{one.reference}"))["status"] == "succeeded"
    assert (await shop.request_refund(one.reference)).status_code == 202
    await shop.run_job("refund")
    shop.paystack.end_refund(one, one.refunds[1])
    await shop.run_round()
    await Metrics(payments_db.sessions).measure()
    assert metric("refunds_that_need_an_operator") == 0
    assert (await get(shop, f"/payments/{one.reference}"))["status"] == "refunded"


async def test_refunds_of_another_customer_are_not_shown(shop: InProcessShop, signer: Signer) -> None:
    order = (await shop.place_order(await shop.create_product(stock=1))).json()["id"]
    one = await started(shop, order)
    stranger = signer.headers("buyer-2")
    assert (await shop.request("GET", f"/payments/{one.reference}/refunds", by=stranger)).status_code == 404
