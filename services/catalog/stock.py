"""Stock: taken by orders, given back by those that come to nothing. Products are always locked in order of their id, after their orders."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalog.models import OrderItem, Product

# Take what a new order wants of each product, where there is enough of it.
RESERVE = text("""
WITH wanted AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:quantities AS bigint[])) AS wanted (id, quantity)
), locked AS (
    SELECT id, quantity FROM products JOIN wanted USING (id) ORDER BY id FOR NO KEY UPDATE OF products
)
UPDATE products SET stock = stock - locked.quantity FROM locked
WHERE products.id = locked.id AND (stock IS NULL OR stock >= locked.quantity)
RETURNING products.id, stock IS NOT NULL AS counted
""")

# Move what orders hold: give it back to the products, or take it (again) from them. Unlimited products are never counted.
GIVE_BACK = text("""
WITH moved AS (
    UPDATE order_items SET reserved = false WHERE order_id = ANY(CAST(:orders AS uuid[])) AND reserved
    RETURNING product_id, quantity
), locked AS (
    SELECT id, moved.quantity FROM products
    JOIN (SELECT product_id, CAST(sum(quantity) AS bigint) AS quantity FROM moved GROUP BY product_id) AS moved
    ON id = product_id ORDER BY id FOR NO KEY UPDATE OF products
)
UPDATE products SET stock = stock + locked.quantity FROM locked WHERE products.id = locked.id AND stock IS NOT NULL
""")
TAKE_AGAIN = text("""
WITH moved AS (
    UPDATE order_items SET reserved = true FROM products
    WHERE order_id = ANY(CAST(:orders AS uuid[])) AND NOT reserved AND products.id = product_id AND stock IS NOT NULL
    RETURNING product_id, quantity
), locked AS (
    SELECT id, moved.quantity FROM products
    JOIN (SELECT product_id, CAST(sum(quantity) AS bigint) AS quantity FROM moved GROUP BY product_id) AS moved
    ON id = product_id ORDER BY id FOR NO KEY UPDATE OF products
)
UPDATE products SET stock = stock - locked.quantity FROM locked WHERE products.id = locked.id AND stock IS NOT NULL
""")


async def reserve(session: AsyncSession, wanted: Mapping[UUID, int]) -> dict[UUID, bool]:
    """Take the quantities from the products that have enough. Those that had, with whether they are counted at all."""
    ids = sorted(wanted)
    found = await session.execute(RESERVE, {"ids": ids, "quantities": [wanted[product_id] for product_id in ids]})
    return {row.id: row.counted for row in found}


async def give_back(session: AsyncSession, orders: Sequence[UUID]) -> None:
    """Return to the products what these orders hold. The orders are locked by the caller."""
    if orders:
        await session.execute(GIVE_BACK, {"orders": list(orders)})


async def take_again(session: AsyncSession, orders: Sequence[UUID]) -> None:
    """Reserve again what these expired orders are made of; the caller has locked the products and counted (see `lock_for`)."""
    if orders:
        await session.execute(TAKE_AGAIN, {"orders": list(orders)})


async def lock_for(session: AsyncSession, orders: Sequence[UUID]) -> dict[UUID, int | None]:
    """Lock all products of these orders. What is left of each; None: unlimited."""
    items = select(OrderItem.product_id).where(OrderItem.order_id.in_(orders))
    products = select(Product.id, Product.stock).where(Product.id.in_(items)).order_by(Product.id)
    found = await session.execute(products.with_for_update(key_share=True))
    return {row.id: row.stock for row in found}
