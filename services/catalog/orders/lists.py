"""Find orders: one by id or number, or a page of those that match filters."""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.pagination import decode_cursor, encode_cursor
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.errors import OrderNotFound
from services.catalog.orders.filters import OrderFilter
from services.catalog.orders.numbers import has_id_or_number
from services.catalog.orders.positions import OrderSort, Page, Position, find_positions
from services.catalog.orders.schemas import MAX_ITEMS, OrderPage, OrderView
from services.catalog.orders.views import SELECT_ORDERS, OrderRow, load_views

LIST_NAME = "orders, {sort}"
"""A cursor is valid only for the list with this name, so also only for its sort."""

MAX_PAGE_ITEMS = 1000
"""A page has at most this many items of orders: the process does nothing else while it makes a page, and 5,000 items took 80 ms."""


def only_owner(caller: Caller) -> str | None:
    """Return the account whose orders the caller may see: their own, or None for those of all customers, with the scope orders:read."""
    return None if "orders:read" in caller.scopes else caller.id


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    owner = only_owner(caller)
    return true() if owner is None else Order.customer_id == owner


async def get_order(session: AsyncSession, caller: Caller, id_or_number: str) -> OrderView:
    """Return the order with this id or number, if the caller may see it. Raises OrderNotFound."""
    row = (
        await session.execute(SELECT_ORDERS.where(has_id_or_number(id_or_number), _visible_to(caller)))
    ).one_or_none()
    if row is None:
        raise OrderNotFound
    return (await load_views(session, [OrderRow._make(row)]))[0]


async def find_visible(session: AsyncSession, caller: Caller, id_or_number: str) -> UUID:
    """Return the id of the order with this id or number, if the caller may see it. Raises OrderNotFound."""
    found = await session.execute(select(Order.id).where(has_id_or_number(id_or_number), _visible_to(caller)))
    order_id = found.scalar_one_or_none()
    if order_id is None:
        raise OrderNotFound
    return order_id


async def list_orders(
    session: AsyncSession, selected: OrderFilter, *, sort: OrderSort, limit: int, cursor: str | None
) -> OrderPage:
    """Return a page of the orders that match. It has fewer than `limit` orders if these have too many items.

    Raises InvalidCursor.
    """
    name = LIST_NAME.format(sort=sort)
    after = None if cursor is None else Position(*decode_cursor(cursor, name, datetime, UUID))
    found = await find_positions(session, selected, Page(sort=sort, limit=limit + 1, after=after))
    page = found[: min(limit, await _orders_that_fit(session, found[:limit]))]
    rows = {row.id: row for row in await _load(session, page)}
    # An order that was deleted meanwhile is left out.
    views = await load_views(session, [rows[position.id] for position in page if position.id in rows])
    next_cursor = encode_cursor(name, *page[-1]) if len(page) < len(found) else None
    return OrderPage(items=views, next_cursor=next_cursor)


async def _load(session: AsyncSession, page: Sequence[Position]) -> list[OrderRow]:
    if not page:
        return []
    rows = await session.execute(SELECT_ORDERS.where(Order.id.in_([position.id for position in page])))
    return [OrderRow._make(row) for row in rows]


async def _orders_that_fit(session: AsyncSession, orders: Sequence[Position]) -> int:
    """Return how many orders from the first on have at most MAX_PAGE_ITEMS items together, and at least 1."""
    if len(orders) * MAX_ITEMS <= MAX_PAGE_ITEMS:
        return max(1, len(orders))  # no need to count
    query = select(OrderItem.order_id, func.count()).where(OrderItem.order_id.in_([order.id for order in orders]))
    counts = dict((await session.execute(query.group_by(OrderItem.order_id))).all())
    totals = accumulate(counts.get(order.id, 0) for order in orders)
    return max(1, sum(total <= MAX_PAGE_ITEMS for total in totals))
