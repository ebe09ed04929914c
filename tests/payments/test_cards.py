"""Saved cards are kept only from what was paid and is reusable, and shown without their code."""

import httpx
import pytest

from tests.conftest import Signer
from tests.payments.bank import Json, authorization
from tests.payments.conftest import charge, found, outbox_types, payment, send, settle_all
from tests.payments.wallet import ME, OTHER, bought, cards, rows


async def test_a_card_is_kept_and_shown_without_its_code(client: httpx.AsyncClient, mine: dict[str, str]) -> None:
    await bought(client, authorization())
    answer = await client.get("/payments/cards", headers=mine)
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
    (kept,) = await rows()
    assert (kept.authorization_code, kept.email, kept.payer_id) == ("AUTH_4081", "payer@example.com", ME)


NOT_KEPT: dict[str, tuple[Json | None, Json]] = {
    "none told": (None, {}),
    "an empty one": ({}, {}),
    "not an object": ([], {}),  # type: ignore[dict-item]
    "not reusable": (authorization(reusable=False), {}),
    "reusable as a word": (authorization(reusable="true"), {}),
    "no code": (authorization(authorization_code=None), {}),
    "no signature": (authorization(signature=None), {}),
    "a mandate of a bank": (authorization(channel="direct_debit"), {}),
    "too little paid": (authorization(), {"amount": 49_999}),
    "another currency": (authorization(), {"currency": "USD"}),
    "another mode": (authorization(), {"domain": "live"}),
    "not paid": (authorization(), {"status": "failed"}),
}


@pytest.mark.parametrize("name", NOT_KEPT)
async def test_what_is_not_kept(client: httpx.AsyncClient, name: str) -> None:
    card, changes = NOT_KEPT[name]
    await bought(client, card, **changes)
    assert await rows() == []


async def test_money_of_nobody_leaves_no_card(client: httpx.AsyncClient) -> None:
    await bought(client, authorization(), payer=None)
    await send(client, charge("another-system-1", authorization=authorization()))
    await settle_all()
    assert await rows() == []


async def test_one_card_of_one_payer_is_one(client: httpx.AsyncClient, mine: dict[str, str], signer: Signer) -> None:
    await bought(client, authorization())
    await bought(client, authorization(authorization_code="AUTH_newer", exp_year="2033"))
    await bought(client, authorization("5678"))
    await bought(client, authorization(), payer=OTHER)
    shown = await cards(client, mine)
    assert sorted(card["last4"] for card in shown) == ["4081", "5678"]
    assert {card["exp_year"] for card in shown if card["last4"] == "4081"} == {2033}
    codes = {(card.payer_id, card.authorization_code) for card in await rows()}
    assert codes == {(ME, "AUTH_newer"), (ME, "AUTH_5678"), (OTHER, "AUTH_4081")}
    assert len(await cards(client, signer.headers(OTHER))) == 1


async def test_a_batch_with_one_card_often(client: httpx.AsyncClient, mine: dict[str, str]) -> None:
    for number in range(20):
        one = await payment(payer_id=ME)
        await send(client, charge(one.reference, authorization=authorization(exp_year=str(2030 + number))))
    await settle_all()
    assert [card["exp_year"] for card in await cards(client, mine)] == [2049]


async def test_the_road_that_was_second_tells_of_the_card(client: httpx.AsyncClient, mine: dict[str, str]) -> None:
    one = await bought(client, {})
    assert await cards(client, mine) == []
    await send(client, charge(one.reference, authorization=authorization()))
    await settle_all()
    assert len(await cards(client, mine)) == 1
    assert await outbox_types() == ["payment.succeeded"]


async def test_what_tells_of_other_money_tells_of_no_card(client: httpx.AsyncClient) -> None:
    one = await bought(client, {})
    await send(client, charge(one.reference, domain="live", authorization=authorization()))
    await settle_all()
    assert await rows() == []


async def test_odd_cards_hold_up_no_money(client: httpx.AsyncClient, mine: dict[str, str]) -> None:
    odd = authorization(last4=4081, brand="x\x00y" * 100, exp_month="13", exp_year={}, bank=["a"])
    one = await bought(client, odd)
    assert (await found(one.reference)).status == "succeeded"
    (shown,) = await cards(client, mine)
    assert (shown["last4"], shown["exp_month"], shown["exp_year"], shown["bank"]) == (None, None, None, None)
