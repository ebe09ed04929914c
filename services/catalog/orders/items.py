"""Deliver the digital items of orders."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import table_of
from services.catalog.order_models import OrderItem
from services.catalog.statuses import ProductKind

ITEMS = table_of(OrderItem)
DELIVER_DIGITAL = (
    update(ITEMS)
    .where(ITEMS.c.order_id == any_(bindparam("orders", type_=ARRAY(Uuid))), ITEMS.c.kind == ProductKind.DIGITAL)
    .values(packed=ITEMS.c.quantity, shipped=ITEMS.c.quantity, delivered=ITEMS.c.quantity)
)


async def deliver_digital_items(session: AsyncSession, order_ids: Sequence[UUID]) -> None:
    """Record that the digital items of paid orders that also have other items are delivered. The caller has locked the orders."""
    if order_ids:
        await session.execute(DELIVER_DIGITAL, {"orders": list(order_ids)})
