"""Saved cards: a payment saves one, later orders are paid with it, and the customer deletes it."""

from uuid import uuid4

import httpx
import pytest

from dev.chaos.invariants import Invariants
from tests.fixtures.stack_client import Json, StackClient, until

pytestmark = pytest.mark.usefixtures("invariants")


async def save_card(shop: StackClient) -> tuple[Json, Json]:
    """Return a customer and the card that a first purchase saved."""
    buyer, order, _ = await shop.buy(await shop.product())
    await shop.wait_delivered(buyer, order)
    cards = (await shop.call("GET", f"{shop.env['PAYMENTS_URL']}/payments/cards", headers=buyer, expect=200)).json()
    (card,) = cards["items"]
    return buyer, card


async def charge_card(shop: StackClient, buyer: Json, order: Json, card: Json) -> httpx.Response:
    body = {"order_id": order["id"], "card_id": card["id"]}
    headers = {**buyer, "Idempotency-Key": uuid4().hex}
    return await shop.call("POST", f"{shop.env['PAYMENTS_URL']}/payments/charge", json=body, headers=headers)


async def test_card_charge_whose_answer_is_lost_is_verified_and_delivered_once(shop: StackClient) -> None:
    buyer, card = await save_card(shop)
    order = await shop.order(buyer, await shop.product(stock=1))
    faults = f"{shop.env['SANDBOX_URL']}/sandbox/faults"
    lost = {"others": {"mode": "reset"}}  # without `times`: a background job may call first
    await shop.call("PUT", faults, json=lost, expect=200)
    try:
        answer = await charge_card(shop, buyer, order, card)
        assert (answer.status_code, answer.json()["status"]) == (201, "pending"), answer.text
    finally:
        await shop.call("DELETE", faults)
    await shop.wait_payment_status(buyer, answer.json()["reference"], "succeeded")
    await shop.wait_delivered(buyer, order)


async def test_card_charge_pays_an_order_without_a_checkout_page(shop: StackClient) -> None:
    buyer, card = await save_card(shop)
    order = await shop.order(buyer, await shop.product(stock=1))
    answer = await charge_card(shop, buyer, order, card)
    assert (answer.status_code, answer.json()["status"]) == (201, "succeeded"), answer.text
    await shop.wait_delivered(buyer, order)


async def test_card_charge_that_needs_the_payer_returns_an_authorization_url(shop: StackClient) -> None:
    buyer, card = await save_card(shop)
    order = await shop.order(buyer, await shop.product(stock=1))
    faults = f"{shop.env['SANDBOX_URL']}/sandbox/faults"
    await shop.call("PUT", faults, json={"saved_cards": "paused"}, expect=200)
    try:
        paused = (await charge_card(shop, buyer, order, card)).json()
    finally:
        await shop.call("DELETE", faults)
    assert paused["status"] == "pending"
    assert paused["authorization_url"].startswith(shop.env["SANDBOX_URL"])
    await shop.pay(paused["reference"])
    await shop.wait_delivered(buyer, order)


async def test_deleted_card_cannot_be_charged(shop: StackClient) -> None:
    buyer, card = await save_card(shop)
    await shop.call("DELETE", f"{shop.env['PAYMENTS_URL']}/payments/cards/{card['id']}", headers=buyer, expect=204)
    order = await shop.order(buyer, await shop.product())
    refused = await charge_card(shop, buyer, order, card)
    assert (refused.status_code, refused.json()["code"]) == (404, "card_not_found")


async def test_deleted_card_is_deactivated_at_paystack(shop: StackClient) -> None:
    buyer, card = await save_card(shop)
    await shop.call("DELETE", f"{shop.env['PAYMENTS_URL']}/payments/cards/{card['id']}", headers=buyer, expect=204)

    async def deactivated() -> bool | None:
        query = f"SELECT authorization_code FROM cards WHERE id = '{card['id']}'"
        (row,) = await Invariants(shop.stack).rows("payments", query)
        return True if row["authorization_code"] is None else None

    await until(deactivated)
