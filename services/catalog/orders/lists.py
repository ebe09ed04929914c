"""Find orders: one by id, or a page of a customer's orders."""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.errors import OrderNotFound
from services.catalog.models import Order, OrderItem
from services.catalog.orders.numbers import has_key
from services.catalog.orders.schemas import MAX_LINES, OrderPage, OrderView
from services.catalog.orders.views import SELECT_ORDERS, OrderRow, load_views
from services.catalog.statuses import OrderStatus

SORT = "orders"
"""This text in a cursor identifies the list: a cursor of another list is refused."""

MAX_PAGE_ITEMS = 1000
"""A page has at most this many items of orders: the process does nothing else while it makes a page, and 5,000 items took 80 ms."""


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition for the orders that the caller may see: all with the scope orders:read, otherwise their own."""
    return true() if "orders:read" in caller.scopes else Order.customer_id == caller.id


async def get_order(session: AsyncSession, caller: Caller, key: str) -> OrderView:
    """Return the order with this id or number, if the caller may see it. Raises OrderNotFound."""
    row = (await session.execute(SELECT_ORDERS.where(has_key(key), _visible_to(caller)))).one_or_none()
    if row is None:
        raise OrderNotFound
    return (await load_views(session, [OrderRow._make(row)]))[0]


async def find_visible(session: AsyncSession, caller: Caller, key: str) -> UUID:
    """Return the id of the order with this id or number, if the caller may see it. Raises OrderNotFound."""
    found = await session.execute(select(Order.id).where(has_key(key), _visible_to(caller)))
    order_id = found.scalar_one_or_none()
    if order_id is None:
        raise OrderNotFound
    return order_id


async def list_orders(
    session: AsyncSession, customer: Caller, *, status: OrderStatus | None, limit: int, cursor: str | None
) -> OrderPage:
    """Return a page of the customer's own orders, newest first. It has fewer than `limit` orders if these have too many items.

    Raises InvalidCursor.
    """
    query = SELECT_ORDERS.where(Order.customer_id == customer.id)
    if status is not None:
        query = query.where(Order.status == status)
    if cursor is not None:
        created_at, order_id = decode_cursor(cursor, SORT, datetime, UUID)
        query = query.where(tuple_(Order.created_at, Order.id) < tuple_(created_at, order_id))
    query = query.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit + 1)
    rows = [OrderRow._make(row) for row in await session.execute(query)]
    limit = min(limit, await _orders_that_fit(session, rows[:limit]))
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(SORT, row.created_at, row.id))
    return OrderPage(items=await load_views(session, page), next_cursor=next_cursor)


async def _orders_that_fit(session: AsyncSession, orders: Sequence[OrderRow]) -> int:
    """Return how many orders from the first on have at most MAX_PAGE_ITEMS items together, and at least 1."""
    if len(orders) * MAX_LINES <= MAX_PAGE_ITEMS:
        return max(1, len(orders))  # no need to count
    query = select(OrderItem.order_id, func.count()).where(OrderItem.order_id.in_([order.id for order in orders]))
    counts = dict((await session.execute(query.group_by(OrderItem.order_id))).all())
    totals = accumulate(counts.get(order.id, 0) for order in orders)
    return max(1, sum(total <= MAX_PAGE_ITEMS for total in totals))
