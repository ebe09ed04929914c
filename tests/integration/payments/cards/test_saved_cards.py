"""Cards are saved only from reusable authorizations of paid orders, and shown without their codes."""

import httpx
import pytest

from tests.factories.payments import create_payment
from tests.fakes.paystack import Json, authorization, charge_success
from tests.fixtures.payments_jobs import process_webhook_events
from tests.fixtures.payments_requests import buy, deliver, list_cards, post_webhook
from tests.fixtures.payments_rows import all_cards, execute, find_payment, outbox_types
from tests.fixtures.tokens import Signer


async def test_card_when_an_order_was_paid_with_it_is_saved_and_shown_without_its_code(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    await buy(client, authorization())
    answer = await client.get("/payments/cards", headers=customer)
    (shown,) = answer.json()["items"]
    assert {name: shown[name] for name in ("brand", "last4", "exp_month", "exp_year", "bank")} == {
        "brand": "visa",
        "last4": "4081",
        "exp_month": 12,
        "exp_year": 2030,
        "bank": "TEST BANK",
    }
    assert "AUTH_" not in answer.text
    assert "SIG_" not in answer.text
    (saved,) = await all_cards()
    assert (saved.authorization_code, saved.email, saved.customer_id) == (
        "AUTH_4081",
        "payer@example.com",
        "customer-1",
    )


NOT_SAVED: dict[str, tuple[Json | None, Json]] = {
    "no authorization": (None, {}),
    "an empty authorization": ({}, {}),
    "an authorization that is no object": ([], {}),  # type: ignore[dict-item]
    "not reusable": (authorization(reusable=False), {}),
    "reusable as text": (authorization(reusable="true"), {}),
    "no code": (authorization(authorization_code=None), {}),
    "no signature": (authorization(signature=None), {}),
    "a direct debit mandate": (authorization(channel="direct_debit"), {}),
    "too little paid": (authorization(), {"amount": 49_999}),
    "another currency": (authorization(), {"currency": "USD"}),
    "another mode": (authorization(), {"domain": "live"}),
    "not paid": (authorization(), {"status": "failed"}),
}


@pytest.mark.parametrize("name", NOT_SAVED)
async def test_card_when_the_charge_does_not_qualify_is_not_saved(client: httpx.AsyncClient, name: str) -> None:
    card, changes = NOT_SAVED[name]
    await buy(client, card, **changes)
    assert await all_cards() == []


async def test_card_when_the_payment_belongs_to_no_customer_is_not_saved(client: httpx.AsyncClient) -> None:
    await buy(client, authorization(), customer_id=None)
    await deliver(client, charge_success("pay-of-another-system", authorization=authorization()))
    assert await all_cards() == []


async def test_card_when_it_is_used_again_is_one_card_of_each_customer(
    client: httpx.AsyncClient, customer: dict[str, str], signer: Signer
) -> None:
    await buy(client, authorization())
    await buy(client, authorization(authorization_code="AUTH_newer", exp_year="2033"))
    await buy(client, authorization("5678"))
    await buy(client, authorization(), customer_id="customer-2")
    shown = await list_cards(client, customer)
    assert sorted(card["last4"] for card in shown) == ["4081", "5678"]
    assert {card["exp_year"] for card in shown if card["last4"] == "4081"} == {2033}
    codes = {(card.customer_id, card.authorization_code) for card in await all_cards()}
    assert codes == {("customer-1", "AUTH_newer"), ("customer-1", "AUTH_5678"), ("customer-2", "AUTH_4081")}
    assert len(await list_cards(client, signer.headers("customer-2"))) == 1


async def test_card_when_one_batch_contains_it_often_is_saved_as_the_newest(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    for number in range(20):
        one = await create_payment()
        await post_webhook(
            client, charge_success(one.reference, authorization=authorization(exp_year=str(2030 + number)))
        )
    await process_webhook_events()
    assert [card["exp_year"] for card in await list_cards(client, customer)] == [2049]


async def test_card_when_only_the_second_webhook_carries_it_is_saved(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    one = await buy(client, {})
    assert await list_cards(client, customer) == []
    await deliver(client, charge_success(one.reference, authorization=authorization()))
    assert len(await list_cards(client, customer)) == 1
    assert await outbox_types() == ["payment.succeeded"]


async def test_card_when_the_second_webhook_is_of_another_mode_is_not_saved(client: httpx.AsyncClient) -> None:
    one = await buy(client, {})
    await deliver(client, charge_success(one.reference, domain="live", authorization=authorization()))
    assert await all_cards() == []


async def test_card_when_its_fields_are_odd_does_not_delay_the_payment(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    odd = authorization(last4=4081, brand="x\x00y" * 100, exp_month="13", exp_year={}, bank=["a"])
    one = await buy(client, odd)
    assert (await find_payment(one.reference)).status == "succeeded"
    (shown,) = await list_cards(client, customer)
    assert (shown["last4"], shown["exp_month"], shown["exp_year"], shown["bank"]) == (None, None, None, None)


async def test_list_cards_when_a_card_was_saved_in_live_mode_omits_it_under_a_test_key(
    client: httpx.AsyncClient, customer: dict[str, str]
) -> None:
    await buy(client, authorization())
    await execute("UPDATE cards SET domain = 'live'")
    assert await list_cards(client, customer) == []
