"""An operator decides about held payments: accepts them, binds them to an order, or refunds them."""

from uuid import uuid4

import pytest

from dev.chaos.invariants import Invariants
from tests.fixtures.stack_client import Json, StackClient

pytestmark = pytest.mark.usefixtures("invariants")


async def _receive_transfer(shop: StackClient, amount: int = 50_000) -> str:
    """Receive money under an unknown reference, which may be ours because it has our prefix. Return the reference."""
    reference = f"pay-{uuid4().hex}"
    data = {
        "id": uuid4().int % 2**40,
        "reference": reference,
        "status": "success",
        "amount": amount,
        "currency": "NGN",
        "domain": "test",
        "channel": "dedicated_nuban",
    }
    assert (await shop.post_webhook({"event": "charge.success", "data": data})).status_code == 200
    await shop.wait_payment_status(shop.admin, reference, "held")
    return reference


async def _decide(shop: StackClient, reference: str, decision: str, body: Json, expect: int) -> Json:
    url = f"{shop.env['PAYMENTS_URL']}/payments/{reference}/{decision}"
    headers = {**shop.admin, "Idempotency-Key": uuid4().hex}
    return dict((await shop.call("POST", url, json=body, headers=headers, expect=expect)).json())


async def test_underpaid_payment_can_be_accepted(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await shop.pay(payment["reference"], amount=49_900)
    await shop.wait_payment_status(buyer, payment["reference"], "held")
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/accept"
    await shop.call("POST", url, json={"reason": "mine"}, headers=buyer, expect=403)
    accepted = await _decide(shop, payment["reference"], "accept", {"reason": "a regular"}, 200)
    assert accepted["status"] == "succeeded"
    await shop.wait_delivered(buyer, order)
    again = await _decide(shop, payment["reference"], "accept", {"reason": "a regular"}, 409)
    assert again["code"] == "not_held"
    rows = await Invariants(shop.stack).rows("payments", "SELECT decision, reason, held_reason FROM decisions")
    assert ("accept", "a regular", "amount_differs") in {tuple(row) for row in rows}


async def test_unknown_payment_can_be_bound_to_an_order_of_its_amount(shop: StackClient) -> None:
    buyer = shop.bearer()
    order = await shop.order(buyer, await shop.product())
    reference = await _receive_transfer(shop)
    other = await shop.order(buyer, await shop.product(price=60_000))
    wrong = await _decide(shop, reference, "bind", {"order_id": other["id"], "reason": "by phone"}, 409)
    assert wrong["code"] == "order_not_bindable"
    bound = await _decide(shop, reference, "bind", {"order_id": order["id"], "reason": "by phone"}, 200)
    assert (bound["status"], bound["order_id"]) == ("succeeded", order["id"])
    await shop.wait_delivered(buyer, order)


async def test_unknown_payment_cannot_be_accepted(shop: StackClient) -> None:
    refused = await _decide(shop, await _receive_transfer(shop), "accept", {"reason": "why not"}, 409)
    assert refused["code"] == "not_held"


async def test_held_payment_can_be_refunded(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await shop.pay(payment["reference"], amount=60_000)
    await shop.wait_payment_status(buyer, payment["reference"], "held")
    await _decide(shop, payment["reference"], "refunds", {"all": True, "reason": "too much"}, 202)
    refunded = await shop.wait_payment_status(buyer, payment["reference"], "refunded")
    assert refunded["refunded_amount"] == 60_000
    assert await shop.order_status(buyer, order) == "pending"
