"""Cancel pending orders."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.auth import Caller
from services.catalog.errors import OrderNotFound, OrderNotPending
from services.catalog.models import Order
from services.catalog.orders.numbers import has_key
from services.catalog.orders.schemas import OrderView
from services.catalog.orders.views import SELECT_ORDERS, OrderRow, load_views
from services.catalog.statuses import OrderStatus
from services.catalog.stock import levels


async def cancel_order(session: AsyncSession, customer: Caller, key: str) -> OrderView:
    """Cancel the customer's own pending order and release its stock. Does nothing if the order is already cancelled.

    Raises OrderNotFound, OrderNotPending.
    """
    own = (has_key(key), Order.customer_id == customer.id)
    cancelled = await session.execute(
        update(Order)
        .where(*own, Order.status == OrderStatus.PENDING)
        .values(status=OrderStatus.CANCELLED, guest_network=None)
        .returning(Order.id)
    )
    if (order_id := cancelled.scalar_one_or_none()) is not None:
        await levels.release(session, [order_id], customer.id)
    row = (await session.execute(SELECT_ORDERS.where(*own))).one_or_none()
    if row is None:
        raise OrderNotFound
    if row.status != OrderStatus.CANCELLED:
        raise OrderNotPending(
            f"Only a pending order can be cancelled, and this one is {row.status}.", order_status=row.status
        )
    return (await load_views(session, [OrderRow._make(row)]))[0]
