"""Erase the address of an order, at the request of its customer or of staff."""

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.auth import Caller
from kit.db.locks import for_no_key_update
from services.catalog.models import AuditLogEntry
from services.catalog.order_models import Order, OrderItem
from services.catalog.orders.addresses import erase_addresses
from services.catalog.orders.errors import AddressStillNeeded, OrderNotFound
from services.catalog.orders.models import OrderAddress
from services.catalog.orders.numbers import has_id_or_number
from services.catalog.statuses import OrderStatus, ProductKind


async def erase_address(session: AsyncSession, id_or_number: str, caller: Caller, actor: Actor) -> None:
    """Erase the address and the tracking numbers of the order with this id or number. Does nothing if they are already erased.

    The caller must be its customer, or have the scope orders:manage. Raises OrderNotFound, and AddressStillNeeded if the customer's order
    still has to be paid or shipped.
    """
    found = select(Order.id, Order.status, Order.customer_id).where(has_id_or_number(id_or_number))
    order = (await session.execute(for_no_key_update(found))).one_or_none()
    is_staff = "orders:manage" in caller.scopes
    if order is None or not (is_staff or order.customer_id == caller.id):
        raise OrderNotFound
    waiting = (
        OrderItem.order_id == order.id,
        OrderItem.kind == ProductKind.SHIPPED,
        OrderItem.shipped < OrderItem.quantity,
    )
    may_be_needed = not is_staff and order.status in {OrderStatus.PENDING, OrderStatus.PAID}
    if may_be_needed and (await session.execute(select(exists().where(*waiting)))).scalar_one():
        raise AddressStillNeeded
    if await erase_addresses(session, OrderAddress.order_id == order.id):
        await audit.record(session, AuditLogEntry, actor, "order.address_erased", order.id)
