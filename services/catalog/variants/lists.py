"""Find variants."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.sql_types import AnyRow
from services.catalog.errors import ProductNotFound
from services.catalog.models import Product, Variant
from services.catalog.statuses import ProductStatus
from services.catalog.stock.levels import ORDERABLE
from services.catalog.stock.models import StockLevel
from services.catalog.variants.errors import VariantNotFound
from services.catalog.variants.schemas import MAX_VARIANTS, VariantList, VariantView, availability_of

SELECT_VARIANTS = (
    select(
        Variant.id,
        Variant.product_id,
        Variant.sku,
        Variant.options,
        Variant.prices,
        Product.price,
        Product.currency,
        Product.low_stock,
        func.greatest(ORDERABLE, 0).label("orderable"),
        StockLevel.variant_id.label("level"),
    )
    .join(Product, Product.id == Variant.product_id)
    .outerjoin(StockLevel, StockLevel.variant_id == Variant.id)
)


def view_of(row: AnyRow, *, with_stock: bool) -> VariantView:
    """Return the response for a row of SELECT_VARIANTS."""
    orderable = None if row.level is None else row.orderable
    return VariantView(
        id=row.id,
        product_id=row.product_id,
        sku=row.sku,
        options=row.options,
        prices={row.currency: row.price} | row.prices,
        availability=availability_of(orderable, row.low_stock),
        **({"stock": orderable} if with_stock else {}),
    )


async def list_variants(session: AsyncSession, product_id: UUID, *, hidden: bool, with_stock: bool) -> VariantList:
    """Return all variants of a product, in the sequence in which they were created. With `hidden`, also of a product that is not active.

    Raises ProductNotFound.
    """
    product = select(Product.id).where(Product.id == product_id)
    if not hidden:
        product = product.where(Product.status == ProductStatus.ACTIVE)
    if (await session.execute(product)).one_or_none() is None:
        raise ProductNotFound
    query = SELECT_VARIANTS.where(Variant.product_id == product_id).order_by(Variant.created_at, Variant.id)
    rows = await session.execute(query.limit(MAX_VARIANTS))
    return VariantList(items=[view_of(row, with_stock=with_stock) for row in rows])


async def load_variant(session: AsyncSession, variant_id: UUID) -> VariantView:
    """Return a variant with its stock. Raises VariantNotFound."""
    row = (await session.execute(SELECT_VARIANTS.where(Variant.id == variant_id))).one_or_none()
    if row is None:
        raise VariantNotFound
    return view_of(row, with_stock=True)
