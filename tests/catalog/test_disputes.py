"""Disputes change no order: what was delivered stays delivered, and only a refund gives stock back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from contracts.events import (
    Event,
    PaymentDisputed,
    PaymentDisputedData,
    PaymentDisputeResolved,
    PaymentDisputeResolvedData,
)
from services.catalog.db import sessions
from services.catalog.fulfilment import fulfil
from tests.catalog.shop import Headers, deliveries, handle, left, placed, product, refunded, status, succeeded, told


def _facts(order_id: UUID) -> dict[str, object]:
    return {"reference": "r1", "order_id": order_id, "amount": 50_000, "currency": "NGN", "dispute_id": 7}


def disputed(order_id: UUID) -> Event:
    due_at = datetime.now(UTC) + timedelta(hours=16)
    return PaymentDisputed(
        subject=str(order_id), data=PaymentDisputedData.model_validate(_facts(order_id) | {"due_at": due_at})
    )


def resolved(order_id: UUID, *, lost: bool) -> Event:
    data = PaymentDisputeResolvedData.model_validate(_facts(order_id) | {"lost": lost, "resolution": "auto-accepted"})
    return PaymentDisputeResolved(subject=str(order_id), data=data)


async def consume(*events: Event) -> None:
    async with sessions.begin() as session:
        await fulfil(session, events)


@pytest.mark.parametrize("lost", [False, True])
async def test_a_dispute_changes_no_order(client: httpx.AsyncClient, buyer: Headers, lost: bool) -> None:
    cup = await product(5)
    mine = await placed(client, buyer, {cup: 1})
    events = [disputed(mine), succeeded(mine, "r1"), resolved(mine, lost=lost)]
    await consume(*events)
    await consume(*reversed(events))
    assert await status(mine) == "delivered"
    assert await deliveries() == {mine: "r1"}
    assert await left(cup) == 4
    assert await told() == []


async def test_what_a_lost_dispute_gives_back_is_a_refund(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(5)
    mine = await placed(client, buyer, {cup: 1})
    await handle(succeeded(mine, "r1"))
    await consume(resolved(mine, lost=True))
    await handle(refunded(mine, "r1"))
    assert (await status(mine), await left(cup)) == ("refunded", 5)
