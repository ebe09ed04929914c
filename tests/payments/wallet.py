"""Payers with saved cards, and orders to be paid with them: what the tests of cards share."""

from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import select

from kit.worker.shutdown import Shutdown
from services.payments.cards.deactivation import CardDeactivator
from services.payments.cards.models import Card
from services.payments.db import sessions
from services.payments.models import Payment
from tests.payments.bank import Json, authorization
from tests.payments.conftest import charge, clients, notifier, payment, send, settle_all

ME, OTHER = "payer-1", "payer-2"


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
    forgetter = CardDeactivator(sessions, clients().paystack, notifier())
    while await forgetter.deactivate_next(Shutdown()):
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
