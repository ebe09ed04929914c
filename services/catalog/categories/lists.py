"""List categories."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.categories.schemas import CategoryPage, CategoryView
from services.catalog.models import Category

COLUMNS = (Category.id, Category.slug, Category.name)
SORT = "categories"
"""This text in a cursor identifies the list: a cursor of another list is refused."""


async def list_categories(session: AsyncSession, *, limit: int, cursor: str | None) -> CategoryPage:
    """Return a page of categories, in order of their slugs. Raises InvalidCursor."""
    query = select(*COLUMNS).order_by(Category.slug).limit(limit + 1)
    if cursor is not None:
        (slug,) = decode_cursor(cursor, SORT, str)
        query = query.where(Category.slug > slug)
    rows = (await session.execute(query)).all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(SORT, row.slug))
    return CategoryPage(items=[CategoryView.model_validate(row) for row in page], next_cursor=next_cursor)
