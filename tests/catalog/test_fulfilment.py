"""Fulfilment: payments' events in batches, twice, late and out of order."""

import asyncio
import random
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, text

from contracts.events import Event
from services.catalog.db import sessions
from services.catalog.decisions import ReferenceOfAnotherOrder
from services.catalog.fulfilment import fulfil
from services.catalog.models import OrderPayment
from tests.catalog.shop import (
    Headers,
    about,
    deliveries,
    handle,
    left,
    placed,
    product,
    refunded,
    status,
    succeeded,
    sweep,
    time_is_over,
    told,
)
from tests.loops import until


async def test_a_paid_order_is_delivered(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(5)
    mine = await placed(client, buyer, {cup: 1})
    await handle(succeeded(mine, "r1"))
    found = (await client.get(f"/catalog/orders/{mine}", headers=buyer)).json()
    assert (found["status"], found["payment_reference"]) == ("delivered", "r1")
    assert found["delivered_at"] is not None
    assert await deliveries() == {mine: "r1"}
    assert await left(cup) == 4
    assert await told() == []


async def test_a_batch_of_everything(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(50)
    a, b, c, d = [await placed(client, buyer, {cup: 1}) for _ in range(4)]
    await client.post(f"/catalog/orders/{d}/cancel", headers=buyer)
    twice, unknown = succeeded(a, "a1"), uuid4()
    events = [
        twice,
        succeeded(b, "b1"),
        twice,
        succeeded(a, "a2"),
        succeeded(b, "b1"),
        succeeded(c, "c1", 49_999),
        succeeded(c, "c2", currency="USD"),
        succeeded(unknown, "u1"),
        succeeded(d, "d1"),
    ]
    await handle(*events)
    await handle(*events)
    assert await deliveries() == {a: "a1", b: "b1"}
    assert [await status(each) for each in (a, b, c, d)] == ["delivered", "delivered", "pending", "cancelled"]
    assert sorted(await told()) == [
        ("a2", "already_paid"),
        ("c1", "amount_differs"),
        ("c2", "amount_differs"),
        ("d1", "cancelled"),
        ("u1", "unknown_order"),
    ]
    assert await left(cup) == 47


async def test_two_payments_at_once_deliver_once(client: httpx.AsyncClient, buyer: Headers) -> None:
    for n in range(20):
        mine = await placed(client, buyer, {await product(5): 1})
        one, two = succeeded(mine, f"one-{n}"), succeeded(mine, f"two-{n}")
        await asyncio.gather(handle(one), handle(two), handle(one), handle(two))
        delivered = (await deliveries())[mine]
        assert [told_ for told_ in await told() if told_[0].endswith(f"-{n}")] == [
            (({f"one-{n}", f"two-{n}"} - {delivered}).pop(), "already_paid")
        ]


async def test_paid_after_it_expired(client: httpx.AsyncClient, buyer: Headers, other: Headers) -> None:
    cup = await product(1)
    mine = await placed(client, buyer, {cup: 1})
    await time_is_over(mine)
    assert await sweep() == 1
    assert (await status(mine), await left(cup)) == ("expired", 1)
    await handle(succeeded(mine, "late"))
    assert (await status(mine), await left(cup)) == ("delivered", 0)

    await handle(refunded(mine, "late"))
    theirs = await placed(client, other, {cup: 1})
    await time_is_over(theirs)
    await sweep()
    await placed(client, buyer, {cup: 1})
    await handle(succeeded(theirs, "too-late"))
    assert await status(theirs) == "expired"
    assert await told() == [("too-late", "expired_and_sold_out")]
    assert await left(cup) == 0


async def test_late_payments_of_one_batch_share_what_is_left(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(3)
    late = [await placed(client, buyer, {cup: 1}) for _ in range(3)]
    for each in late:
        await time_is_over(each)
    await sweep()
    await placed(client, buyer, {cup: 2})
    await handle(*(succeeded(each, f"r-{n}") for n, each in enumerate(late)))
    assert await deliveries() == {late[0]: "r-0"}
    assert sorted(await told()) == [("r-1", "expired_and_sold_out"), ("r-2", "expired_and_sold_out")]
    assert await left(cup) == 0


async def test_refunds(client: httpx.AsyncClient, buyer: Headers) -> None:
    cup = await product(5)
    mine = await placed(client, buyer, {cup: 1})
    await handle(succeeded(mine, "r1"), succeeded(mine, "r2"))
    await handle(refunded(mine, "r2"), refunded(mine, "r1", 20_000))
    assert (await status(mine), await left(cup)) == ("delivered", 4)
    await handle(refunded(mine, "r1", 50_000), refunded(mine, "r1", 50_000), refunded(mine, "r1", 20_000))
    assert (await status(mine), await left(cup)) == ("refunded", 5)
    assert await deliveries() == {mine: "r1"}


async def test_stock_that_became_counted_meanwhile_is_not_given_back(
    client: httpx.AsyncClient, buyer: Headers, editor: Headers
) -> None:
    cup = await product(None)
    mine = await placed(client, buyer, {cup: 2})
    await client.patch(f"/catalog/products/{cup}", json={"stock": 5}, headers=editor)
    await client.post(f"/catalog/orders/{mine}/cancel", headers=buyer)
    assert await left(cup) == 5


async def test_any_order_of_events_ends_the_same(client: httpx.AsyncClient, buyer: Headers) -> None:
    """Declined, paid, disputed, given back in two parts; each once or twice; a hundred orders, shuffled, in batches."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    cup = await product(200)
    orders = [await placed(client, buyer, {cup: 1}) for _ in range(100)]
    events: list[Event] = []
    for n, mine in enumerate(orders):
        parts = [refunded(mine, f"r-{n}", 20_000), refunded(mine, f"r-{n}", 50_000)]
        events += [*about(succeeded(mine, f"r-{n}")), *parts] * dice.choice([1, 2])
    dice.shuffle(events)
    while events:
        cut = dice.randrange(1, 60)
        await handle(*events[:cut])
        events = events[cut:]
    assert {await status(mine) for mine in orders} == {"refunded"}
    assert await left(cup) == 200
    assert await told() == []


async def test_a_payment_refunded_before_it_was_heard_of_delivers_nothing(
    client: httpx.AsyncClient, buyer: Headers
) -> None:
    mine = await placed(client, buyer, {await product(5): 1})
    await handle(refunded(mine, "r2"))
    assert await status(mine) == "pending"
    await handle(succeeded(mine, "r1"))
    await handle(succeeded(mine, "r2"))
    assert await deliveries() == {mine: "r1"}
    assert await status(mine) == "delivered"
    assert await told() == []


async def test_one_reference_for_two_orders_is_a_fault(client: httpx.AsyncClient, buyer: Headers) -> None:
    one, two = [await placed(client, buyer, {await product(5): 1}) for _ in range(2)]
    await handle(succeeded(one, "r1"))
    with pytest.raises(ReferenceOfAnotherOrder):
        await handle(succeeded(two, "r1"))
    assert await status(two) == "pending"


async def test_an_order_in_hand_does_not_expire(client: httpx.AsyncClient, buyer: Headers) -> None:
    mine = await placed(client, buyer, {await product(1): 1})
    await time_is_over(mine)
    async with sessions.begin() as session:
        await fulfil(session, [succeeded(mine, "r1")])
        assert await sweep() == 0
    assert await sweep() == 0
    assert await status(mine) == "delivered"


async def test_two_workers_hear_at_once_of_a_payment_for_an_order_that_is_none() -> None:
    """No order is there to be locked: what the one has found out, the other, who saw nothing of it, does not take back."""
    nobodys = uuid4()
    async with sessions.begin() as first, sessions.begin() as second:
        pid = (await second.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        await fulfil(first, [succeeded(nobodys, "r1")])
        later = asyncio.create_task(fulfil(second, [refunded(nobodys, "r1")]))

        async def waits() -> bool:
            waiting = text("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = :pid AND NOT granted)")
            return bool((await first.execute(waiting, {"pid": pid})).scalar_one())

        await until(waits)
        await first.commit()
        await later
    async with sessions() as session:
        outcome = (await session.execute(select(OrderPayment.outcome))).scalar_one()
    assert outcome == "undeliverable"
