"""Make the stock of a variant unlimited again: its level is deleted, and what orders have reserved of it is not reserved any more."""

from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Uuid

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.errors import Unavailable
from services.catalog.models import AuditLogEntry
from services.catalog.statuses import StockMovementKind
from services.catalog.stock.edit import audit_values, find_product
from services.catalog.stock.errors import StockNotFound
from services.catalog.stock.models import StockLevel, StockMovement

REASON = "stock is unlimited"

# Orders are locked before levels (levels.py).
LOCK_ORDERS = text("""
SELECT id FROM orders
WHERE id IN (SELECT order_id FROM order_items WHERE variant_id = :variant_id AND stock_state = 'reserved')
ORDER BY id FOR NO KEY UPDATE
""")
RELEASE = text("""
WITH released AS (
    UPDATE order_items SET stock_state = 'unlimited'
    WHERE variant_id = :variant_id AND stock_state = 'reserved' AND order_id = ANY(:orders)
    RETURNING order_id, variant_id, quantity
), recorded AS (
    INSERT INTO stock_movements (variant_id, kind, quantity, on_hand_change, reserved_change, order_id, actor, reason)
    SELECT variant_id, 'released', quantity, 0, -quantity, order_id, :actor, :reason FROM released ORDER BY order_id
)
SELECT coalesce(sum(quantity), 0) FROM released
""").bindparams(bindparam("orders", type_=ARRAY(Uuid)))


async def make_unlimited(session: AsyncSession, variant_id: UUID, actor: Actor) -> None:
    """Delete the level of a variant. The movements then add up to 0, and the next received units start from there.

    Raises StockNotFound if the variant does not exist or is unlimited, and Unavailable if an order reserves units at the same moment.
    """
    orders = list((await session.execute(LOCK_ORDERS, {"variant_id": variant_id})).scalars())
    query = select(StockLevel.on_hand, StockLevel.reserved).where(StockLevel.variant_id == variant_id)
    level = (await session.execute(query.with_for_update())).one_or_none()
    if level is None:
        raise StockNotFound
    parameters = {"variant_id": variant_id, "orders": orders, "actor": actor.id, "reason": REASON}
    released = (await session.execute(RELEASE, parameters)).scalar_one()
    if released != level.reserved:  # an order that was placed after our first statement is not locked
        raise Unavailable
    if level.on_hand:
        counted = {
            "variant_id": variant_id,
            "kind": StockMovementKind.COUNTED,
            "quantity": 0,
            "on_hand_change": -level.on_hand,
            "reserved_change": 0,
            "actor": actor.id,
            "reason": REASON,
        }
        await session.execute(insert(StockMovement).values(counted))
    await session.execute(delete(StockLevel).where(StockLevel.variant_id == variant_id))
    product_id = await find_product(session, variant_id)
    before = audit_values(variant_id, product_id, on_hand=level.on_hand, reserved=level.reserved)
    await audit.record(session, AuditLogEntry, actor, "stock.made_unlimited", product_id, before=before)
