"""Saved cards: kept only from what was paid and is reusable, charged once, forgotten for good."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, text

from contracts.events import PaymentFailed, PaymentSucceeded
from kit.worker import Life
from services.payments import clients, verification
from services.payments.cards.forgetting import Forgetter
from services.payments.db import sessions
from services.payments.models import Card, Payment
from services.payments.orders import Orders
from services.payments.paystack import PaystackError
from tests.conftest import Signer
from tests.payments.bank import LOST, Bank, Json, authorization, refused
from tests.payments.conftest import charge, found, outbox, outbox_types, payment, send, settle_all

ME, OTHER = "payer-1", "payer-2"


@pytest.fixture
def mine(signer: Signer) -> dict[str, str]:
    return signer.headers(ME)


@pytest.fixture
async def orders(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Json]]:
    """What catalog knows, by id."""
    known: dict[str, Json] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        order = known.get(request.url.path.rsplit("/", 1)[1])
        return httpx.Response(200, json=order) if order else httpx.Response(404, json={})

    client = httpx.AsyncClient(base_url="http://catalog.test", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(clients, "orders", Orders(client))
    yield known
    await client.aclose()


def ordered(orders: dict[str, Json], amount: int = 50_000, status: str = "pending") -> str:
    order_id = str(uuid4())
    orders[order_id] = {"id": order_id, "status": status, "amount": amount, "currency": "NGN"}
    return order_id


async def bought(client: httpx.AsyncClient, card: Json | None, payer: str | None = ME, **changes: Any) -> Payment:
    """A payment that was paid with this card."""
    one = await payment(payer_id=payer)
    extra = {} if card is None else {"authorization": card}
    await send(client, charge(one.reference, **{**extra, **changes}))
    await settle_all()
    return one


async def cards(client: httpx.AsyncClient, headers: dict[str, str]) -> list[Json]:
    answer = await client.get("/payments/cards", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def saved(client: httpx.AsyncClient, headers: dict[str, str], name: str = "4081") -> Json:
    await bought(client, authorization(name))
    return next(card for card in await cards(client, headers) if card["last4"] == name)


async def forget_all() -> None:
    forgetter = Forgetter(sessions)
    while await forgetter.forget_one(Life()):
        pass


async def rows() -> list[Card]:
    async with sessions() as session:
        return list((await session.execute(select(Card))).scalars())


def success(body: Json, **changes: Any) -> Json:
    """What a repeat charge that went well answers."""
    return {
        "id": 4_099_490_251,
        "amount": body["amount"],
        "currency": body["currency"],
        "transaction_date": "2026-11-23T10:53:49.000Z",
        "status": "success",
        "reference": body["reference"],
        "domain": "test",
        "metadata": "",
        "gateway_response": "Approved",
        "channel": "card",
        "fees": 750,
        "authorization": authorization(),
        "plan": None,
        **changes,
    }


async def repeat(
    client: httpx.AsyncClient, headers: dict[str, str], order: str, card: Json, key: str = ""
) -> httpx.Response:
    return await client.post(
        "/payments/charge",
        json={"order_id": order, "card_id": card["id"]},
        headers={**headers, "Idempotency-Key": key or uuid4().hex},
    )


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


async def test_a_repeat_charge_pays(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = success
    order = ordered(orders)
    answer = await repeat(client, mine, order, card, "key-1")
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["status"], shown["order_id"], shown["paid_amount"]) == ("succeeded", order, 50_000)
    (sent,) = bank.calls("charge_authorization")
    assert sent == {
        "authorization_code": "AUTH_4081",
        "reference": shown["reference"],
        "email": "payer@example.com",
        "amount": 50_000,
        "currency": "NGN",
        "metadata": {"order_id": order},
    }
    event = (await outbox())[-1]
    assert isinstance(event, PaymentSucceeded)
    assert event.data.order_id == UUID(order)
    # The webhook of it, and the same request again: nothing more.
    await send(client, charge(shown["reference"], authorization=authorization()))
    await settle_all()
    again = await repeat(client, mine, order, card, "key-1")
    assert (again.status_code, again.json()) == (201, shown)
    assert len(bank.calls("charge_authorization")) == 1
    assert await outbox_types() == ["payment.succeeded"] * 2


async def test_the_reference_is_stored_before_paystack_hears_it(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    seen: list[str] = []
    plain = clients.paystack().charge_authorization

    async def watched(**asked: Any) -> Any:
        seen.append((await found(asked["reference"])).status)
        return await plain(**asked)

    clients.paystack().charge_authorization = watched  # type: ignore[method-assign]
    bank.charge = success
    assert (await repeat(client, mine, ordered(orders), card)).json()["status"] == "succeeded"
    assert seen == ["pending"]


async def test_declined(client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]) -> None:
    card = await saved(client, mine)
    bank.charge = lambda body: success(body, status="failed", gateway_response="Insufficient Funds", authorization={})
    order = ordered(orders)
    shown = (await repeat(client, mine, order, card)).json()
    assert (shown["status"], shown["gateway_response"]) == ("failed", "Insufficient Funds")
    event = (await outbox())[-1]
    assert isinstance(event, PaymentFailed)
    # A new intent may try again: the other is known to have failed.
    bank.charge = success
    assert (await repeat(client, mine, order, card)).json()["status"] == "succeeded"
    first, second = bank.calls("charge_authorization")
    assert first["reference"] != second["reference"]


async def test_a_challenge_is_handed_to_the_payer(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    url = "https://checkout.paystack.com/resources/authorize/abc"
    bank.charge = lambda body: {"paused": True, "reference": body["reference"], "authorization_url": url}
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["authorization_url"]) == ("pending", url)
    await send(client, charge(shown["reference"]))
    await settle_all()
    assert (await found(shown["reference"])).status == "succeeded"


@pytest.mark.parametrize("status", ["pending", "processing", "queued", "ongoing", "send_otp", "timeout"])
async def test_not_decided_yet(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str], status: str
) -> None:
    card = await saved(client, mine)
    bank.charge = lambda body: success(body, status=status)
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["authorization_url"]) == ("pending", None)


async def test_a_lost_answer_is_swept_and_never_sent_again(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = lambda _: LOST
    order = ordered(orders)
    answer = await repeat(client, mine, order, card, "key-1")
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    reference = answer.json()["reference"]
    # Neither the same key nor another one charges again while it is not known.
    assert (await repeat(client, mine, order, card, "key-1")).json()["reference"] == reference
    other = await repeat(client, mine, order, card, "key-2")
    assert (other.status_code, other.json()["code"], other.json()["reference"]) == (409, "charge_under_way", reference)
    # Paystack had charged it.
    bank.verified[reference] = success(bank.calls("charge_authorization")[0], requested_amount=50_000)
    await verification.ask(sessions, reference)
    assert (await found(reference)).status == "succeeded"
    late = await repeat(client, mine, order, card, "key-3")
    assert (late.status_code, late.json()["code"]) == (409, "order_not_payable")
    assert len(bank.calls("charge_authorization")) == 1


async def test_ten_at_once_charge_once(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = lambda _: LOST
    order = ordered(orders)
    statuses = [a.status_code for a in await asyncio.gather(*(repeat(client, mine, order, card) for _ in range(10)))]
    assert sorted(set(statuses)) == [201, 409]
    assert statuses.count(201) == 1
    assert len(bank.calls("charge_authorization")) == 1


async def test_a_process_that_died_while_charging_charges_no_second_time(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)
    bank.charge = success
    order = ordered(orders)
    await payment(order_id=UUID(order), card_id=UUID(card["id"]))  # what it left
    answer = await repeat(client, mine, order, card)
    assert (answer.status_code, answer.json()["code"]) == (409, "charge_under_way")
    assert bank.calls("charge_authorization") == []


async def test_fees_on_top_are_verified_and_pass(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)

    def with_fees(body: Json) -> Json:
        paid = success(body, amount=50_750)
        bank.verified[body["reference"]] = paid | {"requested_amount": 50_000}
        return paid

    bank.charge = with_fees
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["paid_amount"]) == ("succeeded", 50_750)


async def test_the_same_gate(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    card = await saved(client, mine)

    def too_little(body: Json) -> Json:
        bank.verified[body["reference"]] = success(body, amount=20_000)
        return success(body, amount=20_000)

    bank.charge = too_little
    shown = (await repeat(client, mine, ordered(orders), card)).json()
    assert (shown["status"], shown["held_reason"]) == ("held", "amount_differs")


REFUSALS = {
    "refused": (refused(400, "invalid_params", "Email does not match"), 422, "payment_refused"),
    "key": (httpx.Response(401, json={"status": False, "message": "Invalid key"}), 503, "paystack_unavailable"),
    "limit": (httpx.Response(429, json={"status": False}), 503, "paystack_unavailable"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_where_nothing_was_charged_another_try_is_free(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str], name: str
) -> None:
    response, status, code = REFUSALS[name]
    card = await saved(client, mine)
    bank.charge = lambda _: httpx.Response(response.status_code, content=response.content)
    order = ordered(orders)
    answer = await repeat(client, mine, order, card, "key-1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    bank.charge = success
    assert (await repeat(client, mine, order, card, "key-1")).json()["status"] == "succeeded"


async def test_whose_card_and_whose_order(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str], signer: Signer
) -> None:
    card = await saved(client, mine)
    order = ordered(orders)
    stranger = await repeat(client, signer.headers(OTHER), order, card)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "card_not_found")
    missing = await repeat(client, mine, str(uuid4()), card)
    assert (missing.status_code, missing.json()["code"]) == (404, "order_not_found")
    over = await repeat(client, mine, ordered(orders, status="expired"), card)
    assert (over.status_code, over.json()["code"]) == (409, "order_not_payable")
    for headers, wanted in ((mine, 422), ({}, 401), (signer.headers(ME, scopes=frozenset()), 403)):
        body = {"order_id": order, "card_id": card["id"]}
        assert (await client.post("/payments/charge", json=body, headers=headers)).status_code == wanted
    assert bank.calls("charge_authorization") == []


async def test_forgotten_here_and_at_paystack(
    client: httpx.AsyncClient, bank: Bank, orders: dict[str, Json], mine: dict[str, str]
) -> None:
    bank.codes = {"AUTH_4081"}
    card = await saved(client, mine)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=mine)).status_code == 204
    assert await cards(client, mine) == []
    assert (await repeat(client, mine, ordered(orders), card)).json()["code"] == "card_not_found"
    await forget_all()
    assert bank.codes == set()
    (row,) = await rows()
    assert (row.authorization_code, row.email, row.last4, row.brand, row.bank) == (None,) * 5
    again = await client.delete(f"/payments/cards/{card['id']}", headers=mine)
    assert (again.status_code, again.json()["code"]) == (404, "card_not_found")


async def test_nobody_forgets_for_another(client: httpx.AsyncClient, mine: dict[str, str], signer: Signer) -> None:
    card = await saved(client, mine)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=signer.headers(OTHER))).status_code == 404
    assert len(await cards(client, mine)) == 1


async def test_forgotten_while_paystack_is_away(client: httpx.AsyncClient, bank: Bank, mine: dict[str, str]) -> None:
    bank.codes, bank.down = {"AUTH_4081"}, True
    card = await saved(client, mine)
    assert (await client.delete(f"/payments/cards/{card['id']}", headers=mine)).status_code == 204
    with pytest.raises(PaystackError):
        await forget_all()
    bank.down = False
    async with sessions.begin() as session:
        await session.execute(text("UPDATE cards SET forget_at = now() WHERE forget_at IS NOT NULL"))
    await forget_all()
    assert bank.codes == set()


async def test_a_late_notice_does_not_bring_a_forgotten_card_back(
    client: httpx.AsyncClient, bank: Bank, mine: dict[str, str]
) -> None:
    late = await payment(payer_id=ME)
    one = await bought(client, authorization())
    (card,) = await cards(client, mine)
    begun = await payment(payer_id=ME)
    await client.delete(f"/payments/cards/{card['id']}", headers=mine)
    for _ in range(2):
        for reference in (one.reference, late.reference, begun.reference):
            await send(client, charge(reference, id=1, authorization=authorization(), note=str(uuid4())))
        await settle_all()
        assert await cards(client, mine) == []
        await forget_all()
    # Who pays with it again, afterwards, has it again.
    await bought(client, authorization(authorization_code="AUTH_new"))
    (back,) = await cards(client, mine)
    assert back["id"] == card["id"]
    assert [row.authorization_code for row in await rows()] == ["AUTH_new"]


async def test_a_test_card_is_none_of_the_live_key(client: httpx.AsyncClient, mine: dict[str, str]) -> None:
    await bought(client, authorization())
    async with sessions.begin() as session:
        await session.execute(text("UPDATE cards SET domain = 'live'"))
    assert await cards(client, mine) == []


async def test_codes_are_in_no_log(
    client: httpx.AsyncClient,
    bank: Bank,
    orders: dict[str, Json],
    mine: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    card = await saved(client, mine)
    for answer in (success, lambda body: success(body, status="failed"), lambda _: LOST):
        bank.charge = answer
        await repeat(client, mine, ordered(orders), card)
    bank.down = True
    await client.delete(f"/payments/cards/{card['id']}", headers=mine)
    with pytest.raises(PaystackError):
        await forget_all()
    said = caplog.text + json.dumps(capsys.readouterr())
    assert "request" in said
    assert "AUTH_" not in said
