"""An order whose transaction Postgres breaks up: a 503 that may be asked again, and no stock that is gone."""

from uuid import uuid4

import httpx
import pytest

from services.catalog.db import sessions
from tests.catalog.shop import Headers, handle, left, order, placed, product, status, succeeded
from tests.contention import BROKEN_UP, When, broken_up


@pytest.mark.parametrize("sqlstate", BROKEN_UP)
@pytest.mark.parametrize("when", ["at once", "at the commit"])
async def test_an_order(client: httpx.AsyncClient, buyer: Headers, sqlstate: str, when: When) -> None:
    cup, key = await product(stock=5), uuid4().hex
    async with broken_up(sessions, "orders", sqlstate, when):
        answer = await order(client, buyer, {cup: 2}, key)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert await left(cup) == 5
    assert (await order(client, buyer, {cup: 2}, key)).status_code == 201
    assert await left(cup) == 3


async def test_a_payment_told_again_long_after_its_event_was_forgotten(
    client: httpx.AsyncClient, buyer: Headers
) -> None:
    """The inbox knows nothing of it any more, and the event has another id: the payment's reference is what counts."""
    cup = await product(stock=5)
    paid = await placed(client, buyer, {cup: 1})
    await handle(succeeded(paid, "pay-1"))
    await handle(succeeded(paid, "pay-1"))
    assert await status(paid) == "delivered"
    assert await left(cup) == 4
