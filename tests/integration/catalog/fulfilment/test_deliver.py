"""Delivery of paid orders and refunds: events in batches, repeated, late and out of order."""

import asyncio
import random
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, text

from contracts.events import Event
from services.catalog.db import sessions
from services.catalog.fulfilment import deliver
from services.catalog.orders.models import OrderPayment
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import (
    dispute_resolved,
    payment_disputed,
    payment_failed,
    payment_held,
    payment_refunded,
    payment_succeeded,
)
from tests.fixtures.catalog import (
    deliveries,
    end_reservation,
    expire_orders,
    handle_events,
    status_of,
    stock_differences,
    stock_of,
    undeliverable_payments,
)
from tests.fixtures.loops import until


async def test_handle_when_an_order_is_paid_then_it_is_delivered(client: httpx.AsyncClient, customer: Headers) -> None:
    cup = await create_product(5)
    order_id = await create_order(client, customer, {cup: 1})
    await handle_events(payment_succeeded(order_id, "r1"))
    order = (await client.get(f"/catalog/orders/{order_id}", headers=customer)).json()
    assert (order["status"], order["payment_reference"]) == ("delivered", "r1")
    assert order["delivered_at"] is not None
    assert await deliveries() == {order_id: "r1"}
    assert await stock_of(cup) == 4
    assert await undeliverable_payments() == []


async def test_handle_when_a_batch_has_every_kind_of_payment_then_each_gets_its_outcome(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(50)
    a, b, d = [await create_order(client, customer, {cup: 1}) for _ in range(3)]
    await client.post(f"/catalog/orders/{d}/cancel", headers=customer)
    repeated, unknown = payment_succeeded(a, "a1"), uuid4()
    events = [
        repeated,
        payment_succeeded(b, "b1"),
        repeated,
        payment_succeeded(a, "a2"),
        payment_succeeded(b, "b1"),
        payment_succeeded(unknown, "u1"),
        payment_succeeded(d, "d1"),
    ]
    await handle_events(*events)
    await handle_events(*events)
    assert await deliveries() == {a: "a1", b: "b1"}
    assert [await status_of(each) for each in (a, b, d)] == ["delivered", "delivered", "cancelled"]
    assert sorted(await undeliverable_payments()) == [
        ("a2", "already_paid"),
        ("d1", "cancelled"),
        ("u1", "unknown_order"),
    ]
    assert await stock_of(cup) == 48


async def test_handle_when_two_payments_of_an_order_are_concurrent_then_it_is_delivered_once(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    for n in range(20):
        order_id = await create_order(client, customer, {await create_product(5): 1})
        one, two = payment_succeeded(order_id, f"one-{n}"), payment_succeeded(order_id, f"two-{n}")
        await asyncio.gather(handle_events(one), handle_events(two), handle_events(one), handle_events(two))
        delivered = (await deliveries())[order_id]
        assert [each for each in await undeliverable_payments() if each[0].endswith(f"-{n}")] == [
            (({f"one-{n}", f"two-{n}"} - {delivered}).pop(), "already_paid")
        ]


async def test_handle_when_a_payment_is_repeated_under_another_event_id_then_it_has_no_second_effect(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    """The inbox entry was deleted long ago and the event has a new id: the payment's reference prevents a second delivery."""
    cup = await create_product(stock=5)
    order_id = await create_order(client, customer, {cup: 1})
    await handle_events(payment_succeeded(order_id, "pay-1"))
    await handle_events(payment_succeeded(order_id, "pay-1"))
    assert await status_of(order_id) == "delivered"
    assert await stock_of(cup) == 4


async def test_handle_when_late_payments_of_a_batch_exceed_the_stock_then_the_first_ones_are_delivered(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(3)
    late = [await create_order(client, customer, {cup: 1}) for _ in range(3)]
    for each in late:
        await end_reservation(each)
    await expire_orders()
    await create_order(client, customer, {cup: 2})
    await handle_events(*(payment_succeeded(each, f"r-{n}") for n, each in enumerate(late)))
    assert await deliveries() == {late[0]: "r-0"}
    assert sorted(await undeliverable_payments()) == [("r-1", "expired_and_sold_out"), ("r-2", "expired_and_sold_out")]
    assert await stock_of(cup) == 0


async def test_handle_when_the_whole_amount_is_refunded_then_the_order_is_refunded(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cup = await create_product(5)
    order_id = await create_order(client, customer, {cup: 1})
    await handle_events(payment_succeeded(order_id, "r1"), payment_succeeded(order_id, "r2"))
    await handle_events(payment_refunded(order_id, "r2"), payment_refunded(order_id, "r1", 20_000))
    assert (await status_of(order_id), await stock_of(cup)) == ("delivered", 4)
    whole, part = payment_refunded(order_id, "r1", 50_000), payment_refunded(order_id, "r1", 20_000)
    await handle_events(whole, payment_refunded(order_id, "r1", 50_000), part)
    assert (await status_of(order_id), await stock_of(cup)) == ("refunded", 4)
    assert await deliveries() == {order_id: "r1"}


async def test_handle_when_events_of_100_orders_are_shuffled_and_repeated_then_all_are_refunded(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    """Each order is declined, held, paid, disputed and refunded in two parts."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    cup = await create_product(200)
    order_ids = [await create_order(client, customer, {cup: 1}) for _ in range(100)]
    events: list[Event] = []
    for n, order_id in enumerate(order_ids):
        reference = f"r-{n}"
        life = [
            payment_failed(order_id, reference),
            payment_held(order_id, reference),
            payment_succeeded(order_id, reference),
            payment_disputed(order_id, reference),
            dispute_resolved(order_id, reference, lost=False),
            payment_refunded(order_id, reference, 20_000),
            payment_refunded(order_id, reference, 50_000),
        ]
        events += life * rng.choice([1, 2])
    rng.shuffle(events)
    while events:
        cut = rng.randrange(1, 60)
        await handle_events(*events[:cut])
        events = events[cut:]
    assert {await status_of(order_id) for order_id in order_ids} == {"refunded"}
    assert await stock_of(cup) == 200 - len(await deliveries())
    assert await stock_differences() == []
    assert await undeliverable_payments() == []


async def test_handle_when_the_refund_comes_before_the_payment_then_nothing_is_delivered_for_it(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    order_id = await create_order(client, customer, {await create_product(5): 1})
    await handle_events(payment_refunded(order_id, "r2"))
    assert await status_of(order_id) == "pending"
    await handle_events(payment_succeeded(order_id, "r1"))
    await handle_events(payment_succeeded(order_id, "r2"))
    assert await deliveries() == {order_id: "r1"}
    assert await status_of(order_id) == "delivered"
    assert await undeliverable_payments() == []


@pytest.mark.parametrize("kind", [payment_succeeded, payment_refunded])
@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"amount": 49_999}, "the event states NGN 499.99; the amount of order {order} is NGN 500.00"),
        ({"amount": 50_001}, "the event states NGN 500.01; the amount of order {order} is NGN 500.00"),
        ({"currency": "USD"}, "the event states USD 500.00; the amount of order {order} is NGN 500.00"),
    ],
)
async def test_handle_when_the_amount_or_the_currency_differs_then_the_event_fails_and_changes_nothing(
    client: httpx.AsyncClient, customer: Headers, kind: Callable[..., Event], differs: dict[str, Any], reason: str
) -> None:
    order, other = [await create_order(client, customer, {await create_product(5): 1}) for _ in range(2)]
    forged = kind(order, "r1", **differs)
    assert await handle_events(payment_succeeded(other, "r2"), forged) == {forged.id: reason.format(order=order)}
    assert await deliveries() == {other: "r2"}
    assert await undeliverable_payments() == []
    await handle_events(payment_succeeded(order, "r1"))
    assert (await deliveries())[order] == "r1"


@pytest.mark.parametrize("kind", [payment_succeeded, payment_refunded])
async def test_handle_when_two_orders_have_one_reference_then_the_second_event_fails(
    client: httpx.AsyncClient, customer: Headers, kind: Callable[..., Event]
) -> None:
    one, two = [await create_order(client, customer, {await create_product(5): 1}) for _ in range(2)]
    await handle_events(payment_succeeded(one, "r1"))
    forged = kind(two, "r1")
    assert await handle_events(forged) == {forged.id: f"payment r1 belongs to order {one}; the event names order {two}"}
    assert [await status_of(order) for order in (one, two)] == ["delivered", "pending"]


async def test_handle_when_two_workers_have_events_of_an_unknown_order_then_the_known_outcome_stays() -> None:
    """There is no order to lock: the second worker, which did not see the outcome of the first, must not overwrite it."""
    unknown = uuid4()
    async with sessions.begin() as first, sessions.begin() as second:
        pid = (await second.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        await deliver.handle(first, [payment_succeeded(unknown, "r1")])
        later = asyncio.create_task(deliver.handle(second, [payment_refunded(unknown, "r1")]))

        async def waits() -> bool:
            waiting = text("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = :pid AND NOT granted)")
            return bool((await first.execute(waiting, {"pid": pid})).scalar_one())

        await until(waits)
        await first.commit()
        await later
    async with sessions() as session:
        outcome = (await session.execute(select(OrderPayment.outcome))).scalar_one()
    assert outcome == "undeliverable"
