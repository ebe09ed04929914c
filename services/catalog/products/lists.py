"""Find products: one by id or slug, or a page of a filtered list."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Text,
    Uuid,
    any_,
    asc,
    bindparam,
    desc,
    func,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.batched_reads import BatchedReads
from kit.db.statements import Statement, fetch
from kit.pagination import Key, decode_cursor, encode_cursor, split_page
from services.catalog.db import reading_engine, searching_engine
from services.catalog.errors import ProductNotFound
from services.catalog.models import Product
from services.catalog.products import old_slugs
from services.catalog.products.documents import ProductDocument, add_stock, page_json, select_documents, select_page
from services.catalog.products.filters import ProductFilter, Shape
from services.catalog.products.schemas import ProductSort
from services.catalog.slugs import kind_of
from services.catalog.statuses import ProductStatus

LOWER_NAME = func.lower(Product.name)
STATEMENTS = 1000
"""The number of statements of lists that are kept; the one that was used the longest time ago is forgotten first."""

BY_KEYS = Statement(
    select_documents(
        or_(
            Product.id == any_(bindparam("ids", type_=ARRAY(Uuid))),
            Product.slug == any_(bindparam("slugs", type_=ARRAY(Text))),
        )
    )
)

ProductReads = BatchedReads[str, ProductDocument]


@dataclass(frozen=True, slots=True)
class Moved:
    """The product has another slug now."""

    slug: str


def product_reads() -> ProductReads:
    """Return the reads of single products, by id or slug, which the requests of a process share."""
    return BatchedReads(_read_products)


async def _read_products(keys: Collection[str]) -> Mapping[str, ProductDocument]:
    ids = [UUID(key) for key in keys if kind_of(key) == "id"]
    slugs = [key for key in keys if kind_of(key) == "slug"]
    rows = await fetch(reading_engine, BY_KEYS, {"ids": ids, "slugs": slugs})
    products = [ProductDocument._make(row) for row in rows]
    return {key: product for product in products for key in (str(product.id), product.slug)}


async def find_product(reads: ProductReads, id_or_slug: str, *, hidden: bool = False) -> ProductDocument | Moved:
    """Return the product with this id or slug, or its current slug if it had this slug before.

    With `hidden`, drafts and archived products are found too. Raises ProductNotFound.
    """
    kind = kind_of(id_or_slug)
    product = None if kind == "none" else await reads.get(id_or_slug.lower())
    if product is not None and (hidden or product.status == ProductStatus.ACTIVE):
        return product
    if product is None and kind == "slug":
        slug = await old_slugs.current_slug(id_or_slug, hidden=hidden)
        if slug is not None:
            return Moved(slug)
    raise ProductNotFound


async def load_product(session: AsyncSession, product_id: UUID) -> ProductDocument:
    """Return a product that the caller has locked or inserted, whatever its status is."""
    row = (await session.execute(select_documents(Product.id == product_id))).one()
    return ProductDocument(*row)


async def list_products(
    filters: ProductFilter, *, sort: ProductSort, limit: int, cursor: str | None, with_stock: bool = False
) -> bytes:
    """Return a page of the products that match the filters, as the JSON of a ProductPage. Raises InvalidCursor."""
    values = {**filters.values(), "limit": limit + 1}
    if cursor is not None:
        values["last_key"], values["last_id"] = _decode(cursor, sort)
    shape = filters.shape()
    engine = reading_engine if shape.is_plain() else searching_engine
    rows = await fetch(engine, list_statement(shape, sort, cursor is not None), values)
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(sort, row.sort_key, row.id))
    documents = [add_stock(row.document, row.units) if with_stock else row.document for row in page]
    return page_json(documents, next_cursor)


@lru_cache(maxsize=STATEMENTS)
def list_statement(shape: Shape, sort: ProductSort, continued: bool) -> Statement:
    """Return the statement of a list. `continued`: it begins after the product with `last_key` and `last_id`."""
    key = _sort_key(sort)
    query = select(Product.id, key.label("sort_key")).where(*shape.conditions())
    descending = sort in {ProductSort.NEWEST, ProductSort.PRICE_DESCENDING}
    if continued:
        position = tuple_(key, Product.id)
        last = tuple_(bindparam("last_key", type_=key.type), bindparam("last_id", type_=Uuid))
        query = query.where(position < last if descending else position > last)
    direction = desc if descending else asc
    ordered = query.order_by(direction(key), direction(Product.id))
    found = ordered.limit(bindparam("limit", type_=BigInteger)).subquery("found")
    return Statement(select_page(found).order_by(direction(found.c.sort_key), direction(found.c.id)))


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
