"""Find products: one by id or slug, or a page of a filtered list."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Row, Text, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from kit.pagination import Key, decode_cursor, encode_cursor, split_page
from services.catalog.errors import ProductNotFound
from services.catalog.models import Product, ProductTag, Tag
from services.catalog.products import old_slugs
from services.catalog.products.filters import STOCK, ProductFilter
from services.catalog.products.schemas import ProductPage, ProductSort, ProductView
from services.catalog.slugs import has_id_or_slug, is_slug
from services.catalog.statuses import ProductStatus
from services.catalog.variants.schemas import availability_of

TAGS = func.array(
    select(Tag.name)
    .join(ProductTag, ProductTag.tag_id == Tag.id)
    .where(ProductTag.product_id == Product.id)
    .order_by(ProductTag.position)
    .correlate(Product)
    .scalar_subquery(),
    type_=ARRAY(Text),
)
COLUMNS = (
    Product.id,
    Product.slug,
    Product.name,
    Product.description,
    Product.status,
    Product.price,
    Product.currency,
    STOCK.label("stock"),
    Product.low_stock,
    Product.category_id,
    TAGS.label("tags"),
    Product.media,
    Product.options,
    Product.version,
    Product.created_at,
    Product.updated_at,
)
LOWER_NAME = func.lower(Product.name)


@dataclass(frozen=True, slots=True)
class Moved:
    """The product has another slug now."""

    slug: str


def view_of(row: Row[Any], *, with_stock: bool) -> ProductView:
    """Return the response for a row of COLUMNS. Without `with_stock` it has no number, so orders do not change it."""
    fields = row._asdict()
    stock, low_stock = fields.pop("stock"), fields["low_stock"]
    availability = availability_of(stock, low_stock)
    fields.pop("sort_key", None)
    return ProductView(**fields, availability=availability, **({"stock": stock} if with_stock else {}))


async def find_product(
    session: AsyncSession, id_or_slug: str, *, hidden: bool = False, with_stock: bool = False
) -> ProductView | Moved:
    """Return the product with this id or slug, or its current slug if it had this slug before.

    With `hidden`, drafts and archived products are found too. Raises ProductNotFound.
    """
    query = select(*COLUMNS).where(has_id_or_slug(id_or_slug, Product.id, Product.slug))
    row = (await session.execute(query)).one_or_none()
    if row is not None and (hidden or row.status == ProductStatus.ACTIVE):
        return view_of(row, with_stock=with_stock)
    if row is None and is_slug(id_or_slug):
        slug = await old_slugs.current_slug(session, id_or_slug, hidden=hidden)
        if slug is not None:
            return Moved(slug)
    raise ProductNotFound


async def load_product(session: AsyncSession, product_id: UUID) -> ProductView:
    """Return a product that the caller has locked or inserted, whatever its status is."""
    row = (await session.execute(select(*COLUMNS).where(Product.id == product_id))).one()
    return view_of(row, with_stock=True)


async def list_products(
    session: AsyncSession,
    filters: ProductFilter,
    *,
    sort: ProductSort,
    limit: int,
    cursor: str | None,
    with_stock: bool = False,
) -> ProductPage:
    """Return a page of the products that match the filters. Raises InvalidCursor."""
    key = _sort_key(sort)
    query = select(*COLUMNS, key.label("sort_key")).where(*filters.conditions())
    descending = sort in {ProductSort.NEWEST, ProductSort.PRICE_DESCENDING}
    if cursor is not None:
        position = tuple_(key, Product.id)
        last = tuple_(*_decode(cursor, sort))
        query = query.where(position < last if descending else position > last)
    order = (key.desc(), Product.id.desc()) if descending else (key, Product.id)
    rows = (await session.execute(query.order_by(*order).limit(limit + 1))).all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(sort, row.sort_key, row.id))
    return ProductPage(items=[view_of(row, with_stock=with_stock) for row in page], next_cursor=next_cursor)


def _sort_key(sort: ProductSort) -> ColumnElement[datetime] | ColumnElement[str] | ColumnElement[int]:
    if sort == ProductSort.NEWEST:
        return Product.created_at.expression
    return LOWER_NAME if sort == ProductSort.NAME else Product.price.expression


def _decode(cursor: str, sort: ProductSort) -> tuple[Key, UUID]:
    if sort == ProductSort.NEWEST:
        return decode_cursor(cursor, sort, datetime, UUID)
    if sort == ProductSort.NAME:
        return decode_cursor(cursor, sort, str, UUID)
    return decode_cursor(cursor, sort, int, UUID)
