"""Reserve and release stock. Orders are locked first, then products in order of id, so that concurrent transactions do not deadlock."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import array_parameters, array_values, table_of
from services.catalog.models import OrderItem, Product

PRODUCTS = table_of(Product)

_requested = array_parameters(id=Uuid, quantity=BigInteger)
_locked = (
    select(PRODUCTS.c.id, _requested.c.quantity)
    .join_from(PRODUCTS, _requested, PRODUCTS.c.id == _requested.c.id)
    .order_by(PRODUCTS.c.id)
    .with_for_update(key_share=True, of=PRODUCTS)
    .cte("locked")
)
# Subtract the quantities of a new order from the products that have enough stock. Unlimited products match too; their stock stays NULL.
RESERVE = (
    update(PRODUCTS)
    .where(
        PRODUCTS.c.id == _locked.c.id,
        or_(PRODUCTS.c.stock.is_(None), PRODUCTS.c.stock >= _locked.c.quantity),
    )
    .values(stock=PRODUCTS.c.stock - _locked.c.quantity)
    .returning(PRODUCTS.c.id, PRODUCTS.c.stock.is_not(None).label("limited"))
)

# Give the reserved quantities of these orders back to the stock of the products.
RELEASE = text("""
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

# Subtract the quantities of these orders from the stock of the products again. Items of unlimited products reserve nothing.
RESERVE_AGAIN = text("""
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


async def reserve(session: AsyncSession, quantities: Mapping[UUID, int]) -> dict[UUID, bool]:
    """Subtract the quantities from the stock of the products that have enough.

    Return these products; the value is True if the stock is limited. Products without enough stock are not in the result.
    """
    ids = sorted(quantities)
    rows = await session.execute(RESERVE, array_values(id=ids, quantity=[quantities[product_id] for product_id in ids]))
    return {row.id: row.limited for row in rows}


async def release(session: AsyncSession, order_ids: Sequence[UUID]) -> None:
    """Release the reserved stock of these orders. The caller has locked the orders."""
    if order_ids:
        await session.execute(RELEASE, {"orders": list(order_ids)})


async def reserve_again(session: AsyncSession, order_ids: Sequence[UUID]) -> None:
    """Reserve the stock of these expired orders again. The caller has locked the products and checked their stock (`lock_stock`)."""
    if order_ids:
        await session.execute(RESERVE_AGAIN, {"orders": list(order_ids)})


async def lock_stock(session: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, int | None]:
    """Lock all products of these orders and return the stock of each; None means unlimited."""
    items = select(OrderItem.product_id).where(OrderItem.order_id.in_(order_ids))
    products = select(Product.id, Product.stock).where(Product.id.in_(items)).order_by(Product.id)
    rows = await session.execute(products.with_for_update(key_share=True))
    return {product_id: stock for product_id, stock in rows}  # noqa: C416 -- a row is not typed as a pair
