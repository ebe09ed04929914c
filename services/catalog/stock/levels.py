"""The changes of stock that orders cause; those by staff are in edit.py and unlimited.py. Each function that changes the levels of variants
records the movements in the same statement.

`on_hand`: units in the shop that are not sold. `reserved`: units that pending orders have reserved, and units for which paid orders wait;
it can be greater than `on_hand`. Units are sold when their order is paid, even if they are shipped later, so that no other order can
reserve them. An order can be placed if `on_hand - reserved + backorder_limit >= quantity`. A variant without a level is unlimited: its
orders change no stock.

Orders are locked first, then levels in order of the variant's id, so that concurrent transactions do not deadlock.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.driver import DriverStatement
from kit.db.locks import for_no_key_update
from services.catalog.order_models import OrderItem
from services.catalog.stock.models import StockLevel

ORDERABLE = StockLevel.on_hand - StockLevel.reserved + StockLevel.backorder_limit
"""How many units can be ordered. Negative if `reserved` is greater than `on_hand + backorder_limit`, for example after a count."""

PAYMENTS_ACTOR = "payments"
"""The actor of movements that events of payments cause."""

MOVEMENT = "INSERT INTO stock_movements (variant_id, kind, quantity, on_hand_change, reserved_change, order_id, actor)"

RESERVE = DriverStatement(
    text(f"""
WITH requested AS (
    SELECT * FROM unnest(CAST(:variants AS uuid[]), CAST(:quantities AS bigint[])) AS requested (variant_id, quantity)
), locked AS (
    SELECT variant_id, requested.quantity FROM stock_levels JOIN requested USING (variant_id)
    ORDER BY variant_id FOR NO KEY UPDATE OF stock_levels
), changed AS (
    UPDATE stock_levels SET reserved = reserved + locked.quantity FROM locked
    WHERE stock_levels.variant_id = locked.variant_id
    AND stock_levels.on_hand - stock_levels.reserved + stock_levels.backorder_limit >= locked.quantity
    RETURNING stock_levels.variant_id, locked.quantity, on_hand - reserved + backorder_limit AS orderable
), recorded AS (
    {MOVEMENT}
    SELECT variant_id, 'reserved', quantity, 0, quantity, CAST(:order_id AS uuid), CAST(:actor AS text) FROM changed
)
SELECT variant_id, orderable FROM changed
""")  # noqa: S608 -- MOVEMENT is a constant
)


def _moving(kind: str, before: str, after: str, *, on_hand_sign: int, reserved_sign: int) -> TextClause:
    """Return the statement that moves the items of orders to another stock state, and adds the quantity times these signs to their levels.

    Items of a variant that has become unlimited keep their state.
    """
    return text(f"""
WITH moved AS (
    UPDATE order_items SET stock_state = '{after}'
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND stock_state = '{before}'
    AND EXISTS (SELECT FROM stock_levels WHERE stock_levels.variant_id = order_items.variant_id)
    RETURNING order_id, variant_id, quantity
), locked AS (
    SELECT variant_id, total FROM stock_levels
    JOIN (SELECT variant_id, CAST(sum(quantity) AS bigint) AS total FROM moved GROUP BY variant_id) AS totals
    USING (variant_id) ORDER BY variant_id FOR NO KEY UPDATE OF stock_levels
), changed AS (
    UPDATE stock_levels
    SET on_hand = on_hand + {on_hand_sign} * locked.total, reserved = reserved + {reserved_sign} * locked.total
    FROM locked WHERE stock_levels.variant_id = locked.variant_id
)
{MOVEMENT}
SELECT variant_id, '{kind}', quantity, {on_hand_sign} * quantity, {reserved_sign} * quantity, order_id, CAST(:actor AS text)
FROM moved ORDER BY order_id, variant_id
""")  # noqa: S608 -- only constants of this module


RELEASE = _moving("released", "reserved", "released", on_hand_sign=0, reserved_sign=-1)
RESERVE_AGAIN = _moving("reserved", "released", "reserved", on_hand_sign=0, reserved_sign=1)

# Units that are not there (a backorder, or a count below what is reserved) cannot be sold: their items stay reserved until they arrive.
# The oldest orders get the units that are there.
SELL = text(f"""
WITH items AS (
    SELECT order_id, variant_id, quantity, created_at FROM order_items
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND stock_state = 'reserved'
), locked AS (
    SELECT variant_id, on_hand FROM stock_levels WHERE variant_id IN (SELECT variant_id FROM items)
    ORDER BY variant_id FOR NO KEY UPDATE
), running AS (
    SELECT order_id, variant_id,
        sum(quantity) OVER (PARTITION BY variant_id ORDER BY items.created_at, order_id) <= on_hand AS is_there
    FROM items JOIN locked USING (variant_id)
), moved AS (
    UPDATE order_items SET stock_state = 'sold' FROM running
    WHERE is_there AND order_items.order_id = running.order_id AND order_items.variant_id = running.variant_id
    RETURNING order_items.order_id, order_items.variant_id, order_items.quantity
), changed AS (
    UPDATE stock_levels SET on_hand = on_hand - total, reserved = reserved - total
    FROM (SELECT variant_id, CAST(sum(quantity) AS bigint) AS total FROM moved GROUP BY variant_id) AS totals
    WHERE stock_levels.variant_id = totals.variant_id
)
{MOVEMENT}
SELECT variant_id, 'sold', quantity, -quantity, -quantity, order_id, CAST(:actor AS text) FROM moved ORDER BY order_id, variant_id
""")  # noqa: S608 -- MOVEMENT is a constant


# Units of sold items go back into the stock. If all units of an item go back, its state becomes 'released', as for an
# item that was never sold.
RESTOCK = text(f"""
WITH requested AS (
    SELECT * FROM unnest(CAST(:orders AS uuid[]), CAST(:variants AS uuid[]), CAST(:units AS bigint[]))
    AS requested (order_id, variant_id, units)
), moved AS (
    UPDATE order_items SET restocked = units, stock_state = CASE WHEN units = quantity THEN 'released' ELSE 'sold' END
    FROM requested
    WHERE order_items.order_id = requested.order_id AND order_items.variant_id = requested.variant_id
    AND stock_state = 'sold' AND EXISTS (SELECT FROM stock_levels WHERE stock_levels.variant_id = order_items.variant_id)
    RETURNING order_items.order_id, order_items.variant_id, units
), locked AS (
    SELECT variant_id, total FROM stock_levels
    JOIN (SELECT variant_id, CAST(sum(units) AS bigint) AS total FROM moved GROUP BY variant_id) AS totals
    USING (variant_id) ORDER BY variant_id FOR NO KEY UPDATE OF stock_levels
), changed AS (
    UPDATE stock_levels SET on_hand = on_hand + total FROM locked WHERE stock_levels.variant_id = locked.variant_id
)
{MOVEMENT}
SELECT variant_id, 'returned', units, units, 0, order_id, CAST(:actor AS text) FROM moved ORDER BY order_id, variant_id
""")  # noqa: S608 -- MOVEMENT is a constant


async def reserve(session: AsyncSession, quantities: Mapping[UUID, int], order_id: UUID, actor: str) -> dict[UUID, int]:
    """Reserve the quantities of the variants that have enough, for an order. Return how many units of each can still be ordered."""
    variants = sorted(quantities)
    rows = await RESERVE.fetch(
        session,
        variants=variants,
        quantities=[quantities[variant] for variant in variants],
        order_id=order_id,
        actor=actor,
    )
    return {row["variant_id"]: row["orderable"] for row in rows}


async def release(session: AsyncSession, order_ids: Sequence[UUID], actor: str) -> None:
    """Release what these orders have reserved. The caller has locked the orders."""
    await _move(session, RELEASE, order_ids, actor)


async def sell(session: AsyncSession, order_ids: Sequence[UUID], actor: str) -> None:
    """Take what these orders have reserved out of the stock. Units that are not there stay reserved. The caller has locked the orders."""
    await _move(session, SELL, order_ids, actor)


async def restock(session: AsyncSession, units: Mapping[UUID, Mapping[UUID, int]], actor: str) -> None:
    """Put units of sold items back into the stock: numbers of units by order and variant. The caller has locked the orders."""
    rows = sorted((order, variant, number) for order, items in units.items() for variant, number in items.items())
    columns = {
        name: [row[index] for row in rows if row[2]] for index, name in enumerate(("orders", "variants", "units"))
    }
    if columns["orders"]:
        await session.execute(RESTOCK, {**columns, "actor": actor})


async def reserve_again(session: AsyncSession, order_ids: Sequence[UUID], actor: str) -> None:
    """Reserve the stock of these expired orders again. The caller has locked the levels and checked them (`lock_orderable`)."""
    await _move(session, RESERVE_AGAIN, order_ids, actor)


async def _move(session: AsyncSession, statement: TextClause, order_ids: Sequence[UUID], actor: str) -> None:
    if order_ids:
        await session.execute(statement, {"orders": list(order_ids), "actor": actor})


async def lock_orderable(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Lock the levels of all items of these orders, and return how many units can be ordered. Unlimited variants are not in the result."""
    items = select(OrderItem.variant_id).where(OrderItem.order_id.in_(order_ids))
    levels = select(StockLevel.variant_id, ORDERABLE.label("orderable")).where(StockLevel.variant_id.in_(items))
    rows = await session.execute(for_no_key_update(levels.order_by(StockLevel.variant_id)))
    return {row.variant_id: row.orderable for row in rows}
