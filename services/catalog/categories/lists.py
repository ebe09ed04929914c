"""Find categories: one with its place in the tree, or a page of a list."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.categories.schemas import CategoryDetails, CategoryLink, CategoryPage, CategoryView
from services.catalog.categories.tree import select_ancestors
from services.catalog.errors import CategoryNotFound
from services.catalog.models import Category
from services.catalog.slugs import has_id_or_slug

COLUMNS = (Category.id, Category.slug, Category.name, Category.parent_id)
SORT = "categories"
"""This text in a cursor identifies the list: a cursor of another list is refused."""

MAX_CHILDREN = 100


async def get_category(session: AsyncSession, id_or_slug: str) -> CategoryDetails:
    """Return the category with this id or slug, the categories above it and those directly below it. Raises CategoryNotFound."""
    query = select(*COLUMNS, Category.version).where(has_id_or_slug(id_or_slug, Category.id, Category.slug))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise CategoryNotFound
    ancestors = await session.execute(select_ancestors(row.id))
    below = select(Category.id, Category.slug, Category.name).where(Category.parent_id == row.id)
    children = await session.execute(below.order_by(Category.slug).limit(MAX_CHILDREN))
    return CategoryDetails(
        **row._mapping,
        ancestors=[CategoryLink.model_validate(each) for each in ancestors],
        children=[CategoryLink.model_validate(each) for each in children],
    )


async def list_categories(
    session: AsyncSession, *, parent: UUID | None, limit: int, cursor: str | None
) -> CategoryPage:
    """Return a page of categories, or of those directly below `parent`, in order of their slugs. Raises InvalidCursor."""
    query = select(*COLUMNS).order_by(Category.slug).limit(limit + 1)
    if parent is not None:
        query = query.where(Category.parent_id == parent)
    if cursor is not None:
        (slug,) = decode_cursor(cursor, SORT, str)
        query = query.where(Category.slug > slug)
    rows = (await session.execute(query)).all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(SORT, row.slug))
    return CategoryPage(items=[CategoryView.model_validate(row) for row in page], next_cursor=next_cursor)
