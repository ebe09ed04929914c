"""Earlier slugs of products, so that old links still work."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.catalog.db import reading_sessions
from services.catalog.models import Product
from services.catalog.products.models import OldSlug
from services.catalog.statuses import ProductStatus

MAX_PER_PRODUCT = 20


async def keep(session: AsyncSession, product_id: UUID, old: str, new: str) -> None:
    """Record that the slug of a product changed. The newest MAX_PER_PRODUCT old slugs of a product are kept.

    If several products had the slug, it redirects to the last one.
    """
    await session.execute(delete(OldSlug).where(OldSlug.slug == new))
    added = insert(OldSlug).values(slug=old, product_id=product_id)
    await session.execute(
        added.on_conflict_do_update(
            index_elements=["slug"],
            set_={"product_id": added.excluded.product_id, "changed_at": added.excluded.changed_at},
        )
    )
    kept = (
        select(OldSlug.slug)
        .where(OldSlug.product_id == product_id)
        .order_by(OldSlug.changed_at.desc(), OldSlug.slug)
        .limit(MAX_PER_PRODUCT)
    )
    await session.execute(delete(OldSlug).where(OldSlug.product_id == product_id, OldSlug.slug.not_in(kept)))


async def current_slug(old: str, *, hidden: bool) -> str | None:
    """Return the slug that the product with this old slug has now, or None. With `hidden`, also of products that are not active."""
    query = select(Product.slug).join(OldSlug, OldSlug.product_id == Product.id).where(OldSlug.slug == old)
    if not hidden:
        query = query.where(Product.status == ProductStatus.ACTIVE)
    async with reading_sessions() as session:
        return (await session.execute(query)).scalar_one_or_none()
