"""Old orders for which no money arrived are deleted; everything else stays."""

import asyncio
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from services.catalog.db import sessions
from services.catalog.fulfilment import deliver
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.deletion import delete_never_paid
from services.catalog.settings import settings
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import payment_refunded, payment_succeeded
from tests.fixtures.catalog import (
    end_reservation,
    expire_orders,
    handle_events,
    stock_differences,
    stock_of,
    undeliverable_payments,
)


async def delete_once() -> int:
    """Delete one batch, as the worker does, and return the number of orders."""
    async with sessions.begin() as session:
        return await delete_never_paid(session)


async def make_old(days: int) -> None:
    """Make all orders older."""
    async with sessions.begin() as session:
        moved = "UPDATE orders SET created_at = created_at - :age, expires_at = expires_at - :age"
        await session.execute(text(moved.replace(":age", f"interval '{days} days'")))


async def orders() -> set[UUID]:
    async with sessions() as session:
        return set((await session.execute(select(Order.id))).scalars())


async def test_delete_when_orders_are_old_then_only_those_without_money_are_deleted(
    client: httpx.AsyncClient, customer: Headers, editor: Headers
) -> None:
    cup, gift = await create_product(100), await create_product(price=0)
    states = ("pending", "expired", "cancelled", "delivered", "refunded", "undeliverable", "refunded before", "free")
    ids = {state: await create_order(client, customer, {gift if state == "free" else cup: 1}) for state in states}
    for state in ("cancelled", "undeliverable"):
        await client.post(f"/catalog/orders/{ids[state]}/cancel", headers=customer)
    for state in ("expired", "refunded before"):
        await end_reservation(ids[state])
    await expire_orders()
    await client.post(f"/catalog/orders/{ids['cancelled']}/notes", json={"text": "x"}, headers=editor)
    await handle_events(
        payment_succeeded(ids["delivered"], "a"),
        payment_succeeded(ids["refunded"], "b"),
        payment_refunded(ids["refunded"], "b"),
        payment_succeeded(ids["undeliverable"], "c"),
        payment_refunded(ids["refunded before"], "d"),
    )
    before = await stock_of(cup)
    await make_old(days=89)
    assert await delete_once() == 0
    await make_old(days=2)
    assert await delete_once() == 2
    assert await orders() == set(ids.values()) - {ids["expired"], ids["cancelled"]}
    assert (await stock_of(cup), await stock_differences()) == (before, [])
    async with sessions() as session:
        kept = select(OrderItem.order_id).where(OrderItem.order_id.in_([ids["expired"], ids["cancelled"]]))
        assert (await session.execute(kept)).scalars().all() == []
        movements = text("SELECT count(*) FROM stock_movements WHERE order_id = :id")
        assert await session.scalar(movements, {"id": ids["expired"]}) == 2  # reserved and released
    await handle_events(payment_succeeded(ids["expired"], "late"))
    assert ("late", "unknown_order") in await undeliverable_payments()


async def test_delete_when_there_are_many_orders_then_batches_of_two_workers_delete_all(
    client: httpx.AsyncClient, customer: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cup = await create_product(100)
    for _ in range(12):
        order_id = await create_order(client, customer, {cup: 1})
        await client.post(f"/catalog/orders/{order_id}/cancel", headers=customer)
    await make_old(days=91)

    async def delete_all() -> int:
        total = 0
        while deleted := await delete_five():
            total += deleted
        return total

    async def delete_five() -> int:
        async with sessions.begin() as session:
            return await delete_never_paid(session, 5)

    assert sum(await asyncio.gather(delete_all(), delete_all())) == 12
    assert await orders() == set()
    longer = settings.model_copy(update={"catalog_delete_unpaid_orders_days": 3650})
    monkeypatch.setattr("services.catalog.orders.deletion.settings", longer)
    order_id = await create_order(client, customer, {cup: 1})
    await client.post(f"/catalog/orders/{order_id}/cancel", headers=customer)
    await make_old(days=91)
    assert await delete_once() == 0


async def test_delete_when_a_payment_is_being_recorded_then_the_order_stays(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    order_id = await create_order(client, customer, {await create_product(100): 1})
    await client.post(f"/catalog/orders/{order_id}/cancel", headers=customer)
    await make_old(days=91)
    async with sessions.begin() as session:
        await deliver.handle(
            session, [payment_succeeded(order_id, "too-late")]
        )  # the order is locked, the payment not committed
        assert await delete_once() == 0
    assert await delete_once() == 0
    assert await orders() == {order_id}
