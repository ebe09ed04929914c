"""Payments that do not match their order deliver nothing, and show the reason."""

import asyncio
from uuid import uuid4

import pytest

from dev.chaos.invariants import Invariants
from tests.fixtures.stack_client import StackClient, charge_success, until

pytestmark = pytest.mark.usefixtures("invariants")


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ({"amount": 49_999}, "amount_differs"),
        ({"amount": 50_001}, "amount_differs"),
        ({"currency": "GHS"}, "currency_differs"),
        ({"domain": "live"}, "mode_differs"),
    ],
)
async def test_payment_that_does_not_match_the_order_is_held(
    shop: StackClient, reported: dict[str, object], reason: str
) -> None:
    product = await shop.product(stock=5)
    buyer, order, payment = await shop.begin_purchase(product)
    await shop.pay(payment["reference"], **reported)
    held = await shop.wait_payment_status(buyer, payment["reference"], "held")
    assert held["held_reason"] == reason
    assert await shop.order_status(buyer, order) == "pending"
    listed = await shop.call("GET", f"{shop.env['PAYMENTS_URL']}/payments?status=held", headers=shop.admin, expect=200)
    assert payment["reference"] in {item["reference"] for item in listed.json()["items"]}


async def test_payment_with_added_fees_is_delivered(shop: StackClient) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await shop.pay(payment["reference"], amount=50_750, fees=750)
    await shop.wait_delivered(buyer, order)


async def test_payment_with_an_unknown_reference_is_held_and_shown(shop: StackClient) -> None:
    reference = f"pay-{uuid4().hex}"
    assert (await shop.post_webhook(charge_success(reference, amount=70_000))).status_code == 200
    held = await shop.wait_payment_status(shop.admin, reference, "held")
    assert (held["held_reason"], held["paid_amount"], held["order_id"]) == ("unknown_reference", 70_000, None)
    stranger = await shop.call("GET", f"{shop.env['PAYMENTS_URL']}/payments/{reference}", headers=shop.bearer())
    assert stranger.status_code == 404


async def test_money_of_another_application_on_the_account_is_listed_and_held_for_nobody(shop: StackClient) -> None:
    reference = f"T{uuid4().hex}"
    assert (await shop.post_webhook(charge_success(reference, amount=70_000))).status_code == 200
    url = f"{shop.env['PAYMENTS_URL']}/payments"

    async def listed() -> bool:
        answer = await shop.call("GET", f"{url}/unrelated-charges", headers=shop.admin, expect=200)
        return reference in [charge["reference"] for charge in answer.json()["items"]]

    await until(listed, 20)
    assert (await shop.call("GET", f"{url}/{reference}", headers=shop.admin)).status_code == 404


async def test_webhook_that_arrives_before_the_answer_of_initialize_settles_the_payment(shop: StackClient) -> None:
    """The sandbox stores the transaction and delays its answer; the payer pays meanwhile."""
    sandbox = shop.env["SANDBOX_URL"]
    buyer = shop.bearer()
    order = await shop.order(buyer, await shop.product())
    await shop.call("PUT", f"{sandbox}/sandbox/faults", json={"latency_ms": 1500}, expect=200)
    try:
        starting = asyncio.create_task(shop.start_payment(buyer, order))

        async def known() -> str | None:
            query = f"SELECT reference FROM payments WHERE order_id = '{order['id']}'"
            rows = await Invariants(shop.stack).rows("payments", query)
            return str(rows[0]["reference"]) if rows else None

        reference = await until(known)
        assert (await shop.post_webhook(charge_success(reference))).status_code == 200
        await shop.wait_delivered(buyer, order)
        assert (await starting)["reference"] == reference
    finally:
        await shop.call("DELETE", f"{sandbox}/sandbox/faults")
    assert (await shop.payment(buyer, reference))["status"] == "succeeded"


async def test_payment_start_whose_initialize_is_lost_gets_a_new_reference(shop: StackClient) -> None:
    sandbox = shop.env["SANDBOX_URL"]
    buyer = shop.bearer()
    order = await shop.order(buyer, await shop.product())
    fault = {"initialize": {"mode": "reset", "times": 1}}
    await shop.call("PUT", f"{sandbox}/sandbox/faults", json=fault, expect=200)
    try:
        payment = await shop.start_payment(buyer, order)
    finally:
        await shop.call("DELETE", f"{sandbox}/sandbox/faults")
    rows = await Invariants(shop.stack).rows(
        "payments", f"SELECT reference, status FROM payments WHERE order_id = '{order['id']}' ORDER BY id"
    )
    assert [row["status"] for row in rows] == ["abandoned", "pending"]
    await shop.pay(payment["reference"])
    await shop.wait_delivered(buyer, order)
