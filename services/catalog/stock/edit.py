"""Changes of the stock by staff: received, counted, written off, returned."""

from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.locks import for_no_key_update
from services.catalog.models import AuditLogEntry, Variant
from services.catalog.order_models import Order, OrderItem
from services.catalog.statuses import OrderStatus, StockMovementKind, StockState
from services.catalog.stock import levels
from services.catalog.stock.errors import StockChanged, StockNotFound, StockTooLow
from services.catalog.stock.models import StockLevel, StockMovement
from services.catalog.stock.schemas import MAX_AFFECTED, MoveStock, StockLevelView, UpdateStock

SIGNS = {StockMovementKind.RECEIVED: 1, StockMovementKind.RETURNED: 1, StockMovementKind.WRITTEN_OFF: -1}
MAX_WAITING = 100

# Paid orders that wait for units, oldest first: they get new units before other orders can reserve them. A `delivered` order can also wait:
# its digital items are delivered at once, even on backorder. Orders are locked before levels; an order that a refund has locked is skipped.
WAITING_ORDERS = text("""
SELECT order_items.order_id FROM order_items JOIN orders ON orders.id = order_items.order_id
WHERE variant_id = :variant_id AND stock_state = 'reserved' AND orders.status IN ('paid', 'delivered')
ORDER BY orders.created_at, orders.id LIMIT :limit
FOR NO KEY UPDATE OF orders SKIP LOCKED
""")


async def find_product(session: AsyncSession, variant_id: UUID) -> UUID:
    """Return the product of a variant: the audit log records changes of the stock under the product. Raises StockNotFound."""
    query = select(Variant.product_id).where(Variant.id == variant_id)
    product_id = (await session.execute(query)).scalar_one_or_none()
    if product_id is None:
        raise StockNotFound(
            "There is no variant with this id. The id of a product is accepted only if the product has no options."
        )
    return product_id


def audit_values(variant_id: UUID, product_id: UUID, **values: int) -> dict[str, int | str]:
    """Return values for an audit entry of the product. They include `variant_id` if the product has options."""
    variant: dict[str, int | str] = {} if variant_id == product_id else {"variant_id": str(variant_id)}
    return {**variant, **values}


async def create_level(session: AsyncSession, variant_id: UUID, stock: int, actor: Actor) -> None:
    """Make the stock of a new variant limited: its first units are received."""
    await session.execute(insert(StockLevel).values(variant_id=variant_id, on_hand=stock))
    if stock:
        await _record(session, variant_id, StockMovementKind.RECEIVED, stock, stock, actor, "first stock", None)


async def move_stock(
    session: AsyncSession, variant_id: UUID, request: MoveStock, key: str, actor: Actor
) -> StockLevelView:
    """Change the stock of a variant. The first units of an unlimited variant make it limited.

    Raises StockNotFound, StockChanged (a count with another `expected`), StockTooLow (more is written off than is there).
    """
    product_id = await find_product(session, variant_id)
    waiting = await session.execute(WAITING_ORDERS, {"variant_id": variant_id, "limit": MAX_WAITING})
    waiting_ids = [row.order_id for row in waiting]
    await session.execute(upsert(StockLevel).values(variant_id=variant_id).on_conflict_do_nothing())
    level = select(StockLevel.on_hand).where(StockLevel.variant_id == variant_id)
    before = (await session.execute(for_no_key_update(level))).scalar_one()
    kind = StockMovementKind(request.kind)
    if kind == StockMovementKind.COUNTED and request.expected != before:
        raise StockChanged(f"{before} units are on hand, not {request.expected}. Count again.", on_hand=before)
    change = request.quantity - before if kind == StockMovementKind.COUNTED else SIGNS[kind] * request.quantity
    if before + change < 0:
        raise StockTooLow(f"Only {before} units are on hand. Write off fewer.", on_hand=before)
    changed = update(StockLevel).where(StockLevel.variant_id == variant_id)
    await session.execute(changed.values(on_hand=StockLevel.on_hand + change))
    await _record(session, variant_id, kind, request.quantity, change, actor, request.reason, key)
    await audit.record(
        session,
        AuditLogEntry,
        actor,
        "stock.changed",
        product_id,
        before=audit_values(variant_id, product_id, on_hand=before),
        after=audit_values(variant_id, product_id, on_hand=before + change),
        reason=request.reason,
    )
    if change > 0:
        await levels.sell(session, waiting_ids, actor.id)
    return await get_level(session, variant_id)


async def set_backorder_limit(
    session: AsyncSession, variant_id: UUID, request: UpdateStock, actor: Actor
) -> StockLevelView:
    """Set how many units can be ordered that are not there. Raises StockNotFound, also for a variant with unlimited stock."""
    level = select(StockLevel.backorder_limit).where(StockLevel.variant_id == variant_id)
    before = (await session.execute(for_no_key_update(level))).scalar_one_or_none()
    if before is not None:
        product_id = await find_product(session, variant_id)
        changed = update(StockLevel).where(StockLevel.variant_id == variant_id)
        await session.execute(changed.values(backorder_limit=request.backorder_limit))
        await audit.record(
            session,
            AuditLogEntry,
            actor,
            "stock.backorder_limit_changed",
            product_id,
            before=audit_values(variant_id, product_id, backorder_limit=before),
            after=audit_values(variant_id, product_id, backorder_limit=request.backorder_limit),
        )
    return await get_level(session, variant_id)


async def get_level(session: AsyncSession, variant_id: UUID) -> StockLevelView:
    """Return the stock of a variant. Raises StockNotFound if there is no such variant, or if it is unlimited."""
    columns = (
        StockLevel.on_hand,
        StockLevel.reserved,
        func.greatest(StockLevel.on_hand - StockLevel.reserved, 0).label("available"),
        StockLevel.backorder_limit,
    )
    row = (await session.execute(select(*columns).where(StockLevel.variant_id == variant_id))).one_or_none()
    if row is None:
        raise StockNotFound
    level = StockLevelView.model_validate(row)
    if row.on_hand - row.reserved + row.backorder_limit < 0:
        pending = (
            select(Order.id)
            .join(OrderItem, OrderItem.order_id == Order.id)
            .where(OrderItem.variant_id == variant_id, OrderItem.stock_state == StockState.RESERVED)
            .where(Order.status == OrderStatus.PENDING)
        )
        newest = pending.order_by(Order.created_at.desc(), Order.id).limit(MAX_AFFECTED)
        level.affected_orders = list((await session.execute(newest)).scalars())
    return level


async def _record(
    session: AsyncSession,
    variant_id: UUID,
    kind: StockMovementKind,
    quantity: int,
    change: int,
    actor: Actor,
    reason: str,
    key: str | None,
) -> None:
    values = {
        "variant_id": variant_id,
        "kind": kind,
        "quantity": quantity,
        "on_hand_change": change,
        "reserved_change": 0,
        "actor": actor.id,
        "reason": reason,
        "key": key,
    }
    await session.execute(insert(StockMovement).values(values))
