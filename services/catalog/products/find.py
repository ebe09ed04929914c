"""Find a product by its id or slug."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, or_
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.batched_reads import BatchedReads
from kit.db.statements import Statement, fetch
from services.catalog.db import reading_engine
from services.catalog.errors import ProductNotFound
from services.catalog.models import Product
from services.catalog.products import old_slugs
from services.catalog.products.documents import ProductDocument, select_documents
from services.catalog.slugs import format_of
from services.catalog.statuses import ProductStatus

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
    ids = [UUID(key) for key in keys if format_of(key) == "id"]
    slugs = [key for key in keys if format_of(key) == "slug"]
    rows = await fetch(reading_engine, BY_KEYS, {"ids": ids, "slugs": slugs})
    products = [ProductDocument._make(row) for row in rows]
    return {key: product for product in products for key in (str(product.id), product.slug)}


async def find_product(reads: ProductReads, id_or_slug: str, *, hidden: bool = False) -> ProductDocument | Moved:
    """Return the product with this id or slug, or its current slug if it had this slug before.

    With `hidden`, drafts and archived products are found too. Raises ProductNotFound.
    """
    text_format = format_of(id_or_slug)
    product = None if text_format == "none" else await reads.get(id_or_slug.lower())
    if product is not None and (hidden or product.status == ProductStatus.ACTIVE):
        return product
    if product is None and text_format == "slug":
        slug = await old_slugs.current_slug(id_or_slug, hidden=hidden)
        if slug is not None:
            return Moved(slug)
    raise ProductNotFound


async def load_product(session: AsyncSession, product_id: UUID) -> ProductDocument:
    """Return a product that the caller has locked or inserted, whatever its status is."""
    row = (await session.execute(select_documents(Product.id == product_id))).one()
    return ProductDocument(*row)
