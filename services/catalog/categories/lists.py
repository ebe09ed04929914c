"""Find categories: one with its place in the tree, or a page of a list."""

from functools import cache
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import BigInteger, Text, Uuid, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.statements import Statement, fetch
from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.categories.errors import CategoryNotFound
from services.catalog.categories.schemas import CategoryDetails, CategoryLink
from services.catalog.categories.tree import select_ancestors
from services.catalog.db import reading_engine
from services.catalog.models import Category
from services.catalog.slugs import has_id_or_slug

COLUMNS = (Category.id, Category.slug, Category.name, Category.parent_id)
LIST_NAME = "categories"
"""A cursor is valid only for the list with this name."""

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


async def list_categories(*, parent: UUID | None, limit: int, cursor: str | None) -> bytes:
    """Return a page of categories, or of those directly below `parent`, in order of their slugs, as the JSON of a CategoryPage.

    Raises InvalidCursor.
    """
    values: dict[str, object] = {"parent": parent, "limit": limit + 1}
    if cursor is not None:
        (values["last"],) = decode_cursor(cursor, LIST_NAME, str)
    statement = _list_statement(below=parent is not None, continued=cursor is not None)
    rows = await fetch(reading_engine, statement, values)
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.slug))
    return to_json({"items": [row._asdict() for row in page], "next_cursor": next_cursor})


@cache
def _list_statement(*, below: bool, continued: bool) -> Statement:
    query = select(*COLUMNS).order_by(Category.slug).limit(bindparam("limit", type_=BigInteger))
    if below:
        query = query.where(Category.parent_id == bindparam("parent", type_=Uuid))
    if continued:
        query = query.where(Category.slug > bindparam("last", type_=Text))
    return Statement(query)
