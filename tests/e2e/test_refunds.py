"""Refunds: in full, in parts, automatic for undeliverable orders, and never twice."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from dev.chaos.invariants import Invariants
from tests.fixtures.stack_client import Json, StackClient, until

pytestmark = pytest.mark.usefixtures("invariants")


async def _refund(shop: StackClient, reference: str, key: str = "", **body: Any) -> Json:
    url = f"{shop.env['PAYMENTS_URL']}/payments/{reference}/refunds"
    headers = {**shop.admin, "Idempotency-Key": key or uuid4().hex}
    if "amount" not in body:
        body["all"] = True
    return dict((await shop.call("POST", url, json=body, headers=headers, expect=202)).json())


async def _refunds(shop: StackClient, reference: str) -> list[Json]:
    url = f"{shop.env['PAYMENTS_URL']}/payments/{reference}/refunds"
    return list((await shop.call("GET", url, headers=shop.admin, expect=200)).json()["items"])


async def test_full_refund_refunds_the_order_and_delivered_units_stay_sold(shop: StackClient) -> None:
    product = await shop.product(stock=5)
    buyer, order, payment = await shop.buy(product)
    await shop.wait_delivered(buyer, order)
    refund = await _refund(shop, payment["reference"], reason="Came broken")
    assert (refund["status"], refund["amount"]) == ("requested", 50_000)
    refunded = await shop.wait_payment_status(buyer, payment["reference"], "refunded")
    assert refunded["refunded_amount"] == 50_000
    await shop.wait_order_status(buyer, order, "refunded")
    assert await shop.stock(product) == 4
    # A refunded transaction no longer verifies as `success`. That must not undo the payment.
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/verify"
    assert (await shop.call("POST", url, headers=buyer, expect=200)).json()["status"] == "refunded"


async def test_two_equal_partial_refunds_are_two_refunds(shop: StackClient) -> None:
    buyer, order, payment = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    reference = payment["reference"]
    await asyncio.gather(_refund(shop, reference, amount=10_000), _refund(shop, reference, amount=10_000))
    await shop.wait_refunded_amount(buyer, reference, 20_000)
    assert (await shop.payment(buyer, reference))["status"] == "partially_refunded"
    assert [refund["amount"] for refund in await shop.refunds_at_paystack(reference)] == [10_000, 10_000]
    assert await shop.order_status(buyer, order) == "delivered"
    await _refund(shop, reference)
    await shop.wait_payment_status(buyer, reference, "refunded")
    await shop.wait_order_status(buyer, order, "refunded")
    assert sorted(refund["amount"] for refund in await _refunds(shop, reference)) == [10_000, 10_000, 30_000]


async def test_refund_with_the_same_key_is_made_once(shop: StackClient) -> None:
    buyer, order, payment = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    key = uuid4().hex
    answers = [await _refund(shop, payment["reference"], key, amount=1_000) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(await _refunds(shop, payment["reference"])) == 1


async def test_invalid_refunds_are_refused(shop: StackClient) -> None:
    buyer, order, payment = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/refunds"
    everything, key = {"all": True}, {"Idempotency-Key": uuid4().hex}
    await shop.call("POST", url, json=everything, headers={**buyer, **key}, expect=403)
    await shop.call("POST", url, json=everything, headers=shop.admin, expect=422)
    too_much = await shop.call("POST", url, json={"amount": 50_001}, headers={**shop.admin, **key})
    assert (too_much.status_code, too_much.json()["code"], too_much.json()["left"]) == (422, "refund_too_large", 50_000)
    for amount in (0, -1, 1.5, "10", 2**63):
        await shop.call("POST", url, json={"amount": amount}, headers={**shop.admin, **key}, expect=422)
    _, _, unpaid = await shop.begin_purchase(await shop.product())
    url = f"{shop.env['PAYMENTS_URL']}/payments/{unpaid['reference']}/refunds"
    nothing = await shop.call("POST", url, json=everything, headers={**shop.admin, **key})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_refund")


async def test_twenty_refunds_at_once_never_exceed_the_payment(shop: StackClient) -> None:
    buyer, order, payment = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/refunds"
    headers = [{**shop.admin, "Idempotency-Key": uuid4().hex} for _ in range(20)]
    asked = [shop.call("POST", url, json={"amount": 20_000}, headers=each) for each in headers]
    statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert sorted(set(statuses)) == [202, 422]
    assert statuses.count(202) == 2


async def test_refund_whose_answer_was_lost_is_not_sent_again(shop: StackClient) -> None:
    sandbox = shop.env["SANDBOX_URL"]
    buyer, order, payment = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    fault = {"refund_writes": {"mode": "reset", "times": 1}}
    await shop.call("PUT", f"{sandbox}/sandbox/faults", json=fault, expect=200)
    try:
        await _refund(shop, payment["reference"], amount=7_000)

        async def sent() -> bool | None:
            return True if await shop.refunds_at_paystack(payment["reference"]) else None

        await until(sent)
    finally:
        await shop.call("DELETE", f"{sandbox}/sandbox/faults")
    await Invariants(shop.stack).rows(
        "payments",
        "UPDATE payments SET refunds_leased_until = now() WHERE reference = $1 AND refunds_leased_until IS NOT NULL",
        payment["reference"],
    )
    await shop.wait_refunded_amount(buyer, payment["reference"], 7_000)
    assert len(await shop.refunds_at_paystack(payment["reference"])) == 1


async def test_payment_for_an_expired_and_sold_out_order_is_refunded(shop: StackClient) -> None:
    product = await shop.product(stock=1)
    late, late_order, late_payment = await shop.begin_purchase(product)
    await Invariants(shop.stack).rows(
        "catalog",
        f"UPDATE orders SET expires_at = now(), created_at = now() - interval '1 day' WHERE id = '{late_order['id']}'",
    )
    await shop.wait_order_status(late, late_order, "expired")
    quick, quick_order, _ = await shop.buy(product)
    await shop.wait_delivered(quick, quick_order)
    await shop.pay(late_payment["reference"])
    await shop.wait_payment_status(late, late_payment["reference"], "refunded")
    assert await shop.order_status(late, late_order) == "expired"
    (refund,) = await _refunds(shop, late_payment["reference"])
    assert (refund["requested_by"], refund["reason"]) == (
        "catalog",
        "Your payment arrived after your order had expired, and the products are sold out",
    )


async def test_payment_for_an_expired_order_with_stock_is_delivered(shop: StackClient) -> None:
    product = await shop.product(stock=1)
    buyer, order, payment = await shop.begin_purchase(product)
    await Invariants(shop.stack).rows(
        "catalog",
        f"UPDATE orders SET expires_at = now(), created_at = now() - interval '1 day' WHERE id = '{order['id']}'",
    )
    await shop.wait_order_status(buyer, order, "expired")
    assert await shop.stock(product) == 1
    await shop.pay(payment["reference"])
    await shop.wait_delivered(buyer, order)
    assert await shop.stock(product) == 0
