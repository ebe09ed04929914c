"""Bank transfers through the whole stack: one on its way, and one with a wrong amount that Paystack returns to the payer."""

from typing import Any

import httpx
import pytest

from tests.fixtures.stack_client import Json, StackClient, until

pytestmark = pytest.mark.usefixtures("invariants")
MINUTE_MS = 60_000


async def send_transfer(shop: StackClient, payment: Json, **body: Any) -> None:
    """Let the payer's bank send a transfer, by default of the right amount."""
    url = f"{shop.env['SANDBOX_URL']}/sandbox/transactions/{payment['reference']}/transfer"
    await shop.call("POST", url, json=body, expect=200)


async def verify(shop: StackClient, buyer: Json, payment: Json) -> Json:
    url = f"{shop.env['PAYMENTS_URL']}/payments/{payment['reference']}/verify"
    return dict((await shop.call("POST", url, headers=buyer, expect=200)).json())


async def return_page(shop: StackClient, payment: Json) -> str:
    url = f"{shop.env['PAYMENTS_URL']}/payments/callback"
    async with httpx.AsyncClient(timeout=15, trust_env=False) as http:
        return (await http.get(url, params={"reference": payment["reference"]})).text


async def test_transfer_when_the_bank_is_slow_is_distinguished_from_no_payment(shop: StackClient) -> None:
    product = await shop.product()
    buyer, _, unpaid = await shop.begin_purchase(product)
    assert (await verify(shop, buyer, unpaid))["waiting_for"] == "payer"
    buyer, _, payment = await shop.begin_purchase(product)
    await send_transfer(shop, payment, after_ms=5 * MINUTE_MS)
    page = await return_page(shop, payment)
    assert "Your bank transfer of NGN 500.00 has not arrived yet." in page
    shown = await shop.payment(buyer, payment["reference"])
    assert (shown["status"], shown["waiting_for"]) == ("pending", "bank_transfer")


async def test_transfer_when_its_amount_is_wrong_is_rejected_and_the_right_one_pays_the_order(
    shop: StackClient,
) -> None:
    buyer, order, payment = await shop.begin_purchase(await shop.product())
    await send_transfer(shop, payment, amount=40_000)

    async def rejected() -> Json | None:
        last: Json | None = (await shop.payment(buyer, payment["reference"]))["last_rejected_transfer"]
        return last

    last = await until(rejected, 20)
    assert (last["amount"], last["reason"]) == (40_000, "INCORRECT_AMOUNT")
    page = await return_page(shop, payment)
    assert "transfer exactly NGN 500.00" in page
    assert f'href="{payment["authorization_url"]}"' in page

    async def noted() -> list[Json]:
        url = f"{shop.env['CATALOG_URL']}/catalog/orders/{order['id']}/notes"
        return list((await shop.call("GET", url, headers=shop.admin, expect=200)).json()["items"])

    (note,) = await until(noted, 20)
    assert (note["author"], "NGN 400.00" in note["text"]) == ("payments", True)
    await send_transfer(shop, payment)
    await shop.wait_delivered(buyer, order)
    assert "Thank you" in await return_page(shop, payment)
