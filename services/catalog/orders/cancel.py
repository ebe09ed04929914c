"""Cancel pending orders."""

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.auth import Caller
from kit.db.locks import for_no_key_update
from services.catalog.models import AuditLogEntry
from services.catalog.order_models import Order
from services.catalog.orders.errors import CancelReasonRequired, OrderNotFound, OrderNotPending
from services.catalog.orders.numbers import has_id_or_number
from services.catalog.orders.schemas import OrderView
from services.catalog.orders.views import SELECT_ORDERS, OrderRow, load_views
from services.catalog.statuses import OrderStatus
from services.catalog.stock import levels


async def cancel_order(
    session: AsyncSession, caller: Caller, id_or_number: str, *, reason: str | None = None, actor: Actor
) -> OrderView:
    """Cancel a pending order and release its stock. Does nothing if the order is already cancelled.

    Customers and programs cancel their own orders. Staff with orders:manage cancel the order of any customer, with a reason, which is
    recorded. Raises OrderNotFound, CancelReasonRequired, OrderNotPending.
    """
    found = select(Order.id, Order.customer_id, Order.status).where(has_id_or_number(id_or_number), _may_cancel(caller))
    order = (await session.execute(for_no_key_update(found))).one_or_none()
    if order is None:
        raise OrderNotFound
    as_staff = order.customer_id != caller.id or caller.scopes.isdisjoint({"orders:write", "orders:write_for"})
    if as_staff and reason is None:
        raise CancelReasonRequired
    if order.status not in {OrderStatus.PENDING, OrderStatus.CANCELLED}:
        raise OrderNotPending(
            f"Only a pending order can be cancelled, and this one is {order.status}.", order_status=order.status
        )
    if order.status == OrderStatus.PENDING:
        values = {"status": OrderStatus.CANCELLED, "guest_limit_address": None, "cancel_reason": reason}
        await session.execute(update(Order).where(Order.id == order.id).values(values))
        await levels.release(session, [order.id], caller.id)
        if as_staff:
            before, after = {"status": OrderStatus.PENDING}, {"status": OrderStatus.CANCELLED}
            await audit.record(
                session, AuditLogEntry, actor, "order.cancelled", order.id, before=before, after=after, reason=reason
            )
    row = (await session.execute(SELECT_ORDERS.where(Order.id == order.id))).one()
    return (await load_views(session, [OrderRow._make(row)]))[0]


def _may_cancel(caller: Caller) -> ColumnElement[bool]:
    return true() if "orders:manage" in caller.scopes else Order.customer_id == caller.id
