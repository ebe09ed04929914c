"""Find orders: one by id, or a page of a customer's orders."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.errors import OrderNotFound
from services.catalog.models import Order
from services.catalog.orders.schemas import OrderPage, OrderView
from services.catalog.orders.views import SELECT_ORDERS, OrderRow, load_views
from services.catalog.statuses import OrderStatus

SORT = "orders"
"""This text in a cursor identifies the list: a cursor of another list is refused."""


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    """Return the condition for the orders that the caller may see: all with the scope orders:read, otherwise their own."""
    return true() if "orders:read" in caller.scopes else Order.customer_id == caller.id


async def get_order(session: AsyncSession, caller: Caller, order_id: UUID) -> OrderView:
    """Return an order that the caller may see. Raises OrderNotFound."""
    row = (await session.execute(SELECT_ORDERS.where(Order.id == order_id, _visible_to(caller)))).one_or_none()
    if row is None:
        raise OrderNotFound
    return (await load_views(session, [OrderRow(*row)]))[0]


async def list_orders(
    session: AsyncSession, customer: Caller, *, status: OrderStatus | None, limit: int, cursor: str | None
) -> OrderPage:
    """Return a page of the customer's own orders, newest first. Raises InvalidCursor."""
    query = SELECT_ORDERS.where(Order.customer_id == customer.id)
    if status is not None:
        query = query.where(Order.status == status)
    if cursor is not None:
        created_at, order_id = decode_cursor(cursor, SORT, datetime, UUID)
        query = query.where(tuple_(Order.created_at, Order.id) < tuple_(created_at, order_id))
    query = query.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit + 1)
    rows = [OrderRow(*row) for row in await session.execute(query)]
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(SORT, row.created_at, row.id))
    return OrderPage(items=await load_views(session, page), next_cursor=next_cursor)
