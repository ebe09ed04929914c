"""Disputes: the payer complains at the bank; an operator responds, or nobody does."""

from typing import Any

import pytest

from dev.chaos.invariants import Invariants
from tests.fixtures.stack_client import Json, StackClient, until

pytestmark = pytest.mark.usefixtures("invariants")


async def dispute_purchase(shop: StackClient, **how: Any) -> tuple[Json, Json, Json, Json]:
    """Dispute a delivered purchase. Return its customer, order and payment, and the dispute as an operator sees it."""
    buyer, order, payment = await shop.buy(await shop.product(stock=5))
    await shop.wait_delivered(buyer, order)
    body = {"reference": payment["reference"], **how}
    await shop.call("POST", f"{shop.env['SANDBOX_URL']}/sandbox/disputes", json=body, expect=200)
    await shop.wait_payment_status(buyer, payment["reference"], "disputed")

    async def listed() -> Json | None:
        page = (
            await shop.call("GET", disputes_url(shop), params={"limit": 100}, headers=shop.admin, expect=200)
        ).json()
        return next((each for each in page["items"] if each["reference"] == payment["reference"]), None)

    return buyer, order, payment, await until(listed)


def disputes_url(shop: StackClient) -> str:
    return f"{shop.env['PAYMENTS_URL']}/payments/disputes"


async def resolve(shop: StackClient, dispute: Json, resolution: str) -> Json:
    """Resolve a dispute with the evidence and the file that Paystack requires."""
    url = f"{disputes_url(shop)}/{dispute['id']}"
    evidence = {
        "customer_email": "ada@example.com",
        "customer_name": "Ada Obi",
        "customer_phone": "08012345678",
        "service_details": "Delivered and signed for",
    }
    await shop.call("POST", f"{url}/evidence", json=evidence, headers=shop.admin, expect=200)
    upload = await shop.call("POST", f"{url}/uploads", json={"filename": "a.pdf"}, headers=shop.admin, expect=201)
    await shop.call("PUT", upload.json()["upload_url"], content=b"%PDF", expect=200)
    body = {
        "resolution": resolution,
        "message": "Signed for",
        "uploaded_filename": upload.json()["uploaded_filename"],
    }
    return dict((await shop.call("POST", f"{url}/resolve", json=body, headers=shop.admin, expect=200)).json())


async def test_dispute_declined_and_won_leaves_the_order_delivered(shop: StackClient) -> None:
    buyer, order, payment, dispute = await dispute_purchase(shop)
    assert (await resolve(shop, dispute, "declined"))["status"] == "awaiting-bank-feedback"
    url = f"{shop.env['SANDBOX_URL']}/sandbox/disputes/{dispute['id']}"
    await shop.call("POST", url, json={"outcome": "declined"}, expect=200)
    await shop.wait_payment_status(buyer, payment["reference"], "succeeded")
    assert await shop.order_status(buyer, order) == "delivered"


async def test_dispute_accepted_refunds_payment_and_order(shop: StackClient) -> None:
    buyer, order, payment, dispute = await dispute_purchase(shop)
    resolved = await resolve(shop, dispute, "merchant-accepted")
    assert (resolved["status"], resolved["lost"]) == ("resolved", True)
    refunded = await shop.wait_payment_status(buyer, payment["reference"], "refunded")
    assert refunded["refunded_amount"] == refunded["amount"]
    await shop.wait_order_status(buyer, order, "refunded")


async def test_dispute_without_response_is_accepted_by_paystack(shop: StackClient) -> None:
    buyer, order, payment, dispute = await dispute_purchase(shop, hours=0.5, amount=20_000)
    await shop.wait_payment_status(buyer, payment["reference"], "partially_refunded")
    shown = (await shop.call("GET", f"{disputes_url(shop)}/{dispute['id']}", headers=shop.admin, expect=200)).json()
    assert (shown["resolution"], shown["lost"], shown["amount"]) == ("auto-accepted", True, 20_000)
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/refunds"
    (refund,) = (await shop.call("GET", url, headers=shop.admin, expect=200)).json()["items"]
    assert (refund["amount"], refund["requested_by"], refund["status"]) == (20_000, "paystack", "processed")
    assert await shop.order_status(buyer, order) == "delivered"


async def test_dispute_whose_last_webhook_is_lost_is_polled(shop: StackClient) -> None:
    buyer, _, payment, dispute = await dispute_purchase(shop)
    url = f"{shop.env['SANDBOX_URL']}/sandbox/disputes/{dispute['id']}"
    await shop.call("POST", url, json={"outcome": "declined", "deliveries": 0}, expect=200)

    # The poller has scheduled its next poll after half a minute or later: make it due.
    await Invariants(shop.stack).rows(
        "payments", "UPDATE disputes SET next_attempt_at = now() WHERE id = $1", dispute["id"]
    )
    await shop.wait_payment_status(buyer, payment["reference"], "succeeded")
