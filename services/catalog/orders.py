"""Orders: price and stock are fixed when one is placed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, insert, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit import pagination
from kit.auth import Caller
from kit.fields import MAX_AMOUNT
from services.catalog import cursors, stock
from services.catalog.errors import (
    AmountTooLarge,
    CurrenciesDiffer,
    OrderNotFound,
    OrderNotPending,
    OutOfStock,
    ProductNotFound,
)
from services.catalog.models import Delivery, Order, OrderItem, OrderPayment, Product
from services.catalog.schemas import ItemOut, NewOrder, OrderOut, Orders, OrderStatus, PaymentOfOrder
from services.catalog.settings import settings

ORDERS = select(
    Order.id,
    Order.customer_id,
    Order.status,
    Order.amount,
    Order.currency,
    Order.created_at,
    Order.expires_at,
    Order.payment_reference,
    Delivery.delivered_at,
).outerjoin(Delivery, Delivery.order_id == Order.id)


async def place(session: AsyncSession, buyer: Caller, new: NewOrder) -> OrderOut:
    """Reserve the stock and write the order down at today's prices."""
    wanted: dict[UUID, int] = {}
    for line in new.items:
        wanted[line.product_id] = wanted.get(line.product_id, 0) + line.quantity
    products = await _products(session, wanted)
    items = [
        ItemOut(
            product_id=product_id,
            name=products[product_id].name,
            slug=products[product_id].slug,
            quantity=quantity,
            unit_price=products[product_id].price,
            amount=products[product_id].price * quantity,
        )
        for product_id, quantity in wanted.items()
    ]
    amount = sum(item.amount for item in items)
    if amount > MAX_AMOUNT:
        raise AmountTooLarge(f"The order's amount is {amount}; at most {MAX_AMOUNT} can be paid at once.")
    counted = await _reserve(session, {of: n for of, n in wanted.items() if products[of].stock is not None})

    now = datetime.now(UTC)
    order = OrderOut(
        id=uuid4(),
        customer_id=buyer.id,
        status="pending",
        amount=amount,
        currency=products[items[0].product_id].currency,
        created_at=now,
        expires_at=now + timedelta(seconds=settings.catalog_reservation_seconds),
        payment_reference=None,
        delivered_at=None,
        items=items,
    )
    await session.execute(insert(Order).values(order.model_dump(exclude={"items", "payments", "delivered_at"})))
    rows = [
        {"order_id": order.id, "position": at, "reserved": item.product_id in counted}
        | item.model_dump(exclude={"amount"})
        for at, item in enumerate(items)
    ]
    await session.execute(insert(OrderItem), rows)
    return order


async def _products(session: AsyncSession, wanted: dict[UUID, int]) -> dict[UUID, Any]:
    columns = (Product.id, Product.name, Product.slug, Product.price, Product.currency, Product.stock)
    found = {row.id: row for row in await session.execute(select(*columns).where(Product.id.in_(list(wanted))))}
    missing = [str(product_id) for product_id in wanted if product_id not in found]
    if missing:
        raise ProductNotFound(f"There is no product {missing[0]}.", products=missing)
    currencies = sorted({row.currency for row in found.values()})
    if len(currencies) > 1:
        raise CurrenciesDiffer(currencies=currencies)
    return found


async def _reserve(session: AsyncSession, wanted: dict[UUID, int]) -> set[UUID]:
    """Reserve all or raise OutOfStock. The products whose stock is (still) counted."""
    if not wanted:
        return set()
    reserved = await stock.reserve(session, wanted)
    short = [product_id for product_id in wanted if product_id not in reserved]
    if short:
        found = await session.execute(select(Product.id, Product.name, Product.stock).where(Product.id.in_(short)))
        left = [{"product_id": str(of), "name": name, "wanted": wanted[of], "left": count} for of, name, count in found]
        names = ", ".join(f"{product['name']} ({product['left']} left)" for product in left[:5])
        raise OutOfStock(f"Not enough in stock: {names}.", products=left)
    return {product_id for product_id, counted in reserved.items() if counted}


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """A caller sees their own orders; with the scope orders:read, all."""
    return true() if "orders:read" in caller.scopes else Order.customer_id == caller.id


async def read(session: AsyncSession, caller: Caller, order_id: UUID) -> OrderOut:
    row = (await session.execute(ORDERS.where(Order.id == order_id, _visible_to(caller)))).one_or_none()
    if row is None:
        raise OrderNotFound
    return (await _with_items(session, [row]))[0]


async def orders_of(
    session: AsyncSession, buyer: Caller, *, status: OrderStatus | None, limit: int, cursor: str | None
) -> Orders:
    """A page of the buyer's own orders, newest first."""
    query = ORDERS.where(Order.customer_id == buyer.id)
    if status is not None:
        query = query.where(Order.status == status)
    if cursor is not None:
        at, order_id = pagination.decode_cursor(cursor, "orders", int, str)
        query = query.where(tuple_(Order.created_at, Order.id) < tuple_(cursors.to_moment(at), cursors.to_id(order_id)))
    rows = (await session.execute(query.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit + 1))).all()
    page = rows[:limit]
    more = len(rows) > limit
    following = (
        pagination.encode_cursor("orders", cursors.micros(page[-1].created_at), str(page[-1].id)) if more else None
    )
    return Orders(items=await _with_items(session, page), next_cursor=following)


async def cancel(session: AsyncSession, buyer: Caller, order_id: UUID) -> OrderOut:
    """Cancel the buyer's own pending order and give its stock back; a cancelled one stays as it is. Raises OrderNotPending."""
    mine = (Order.id == order_id, Order.customer_id == buyer.id)
    cancelled = await session.execute(
        update(Order).where(*mine, Order.status == "pending").values(status="cancelled").returning(Order.id)
    )
    if cancelled.scalar_one_or_none() is not None:
        await stock.give_back(session, [order_id])
    row = (await session.execute(ORDERS.where(*mine))).one_or_none()
    if row is None:
        raise OrderNotFound
    if row.status != "cancelled":
        raise OrderNotPending(f"The order is {row.status}.", order_status=row.status)
    return (await _with_items(session, [row]))[0]


async def _with_items(session: AsyncSession, orders: Sequence[Any]) -> list[OrderOut]:
    items: dict[UUID, list[ItemOut]] = {order.id: [] for order in orders}
    query = select(
        OrderItem.order_id,
        OrderItem.product_id,
        OrderItem.name,
        OrderItem.slug,
        OrderItem.quantity,
        OrderItem.unit_price,
        (OrderItem.unit_price * OrderItem.quantity).label("amount"),
    ).where(OrderItem.order_id.in_(list(items)))
    for row in await session.execute(query.order_by(OrderItem.order_id, OrderItem.position)):
        items[row.order_id].append(ItemOut.model_validate(row))
    payments = await _payments(session, [order.id for order in orders if order.status != "pending"])
    return [OrderOut(**order._mapping, items=items[order.id], payments=payments.get(order.id, [])) for order in orders]


async def _payments(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[PaymentOfOrder]]:
    """What came for these orders, be it that it goes back."""
    found: dict[UUID, list[PaymentOfOrder]] = {}
    if ids:
        columns = (OrderPayment.order_id, OrderPayment.reference, OrderPayment.outcome, OrderPayment.refunded_amount)
        query = select(*columns).where(OrderPayment.order_id.in_(ids))
        for row in await session.execute(query.order_by(OrderPayment.created_at, OrderPayment.reference)):
            found.setdefault(row.order_id, []).append(PaymentOfOrder.model_validate(row))
    return found
