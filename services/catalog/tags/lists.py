"""List tags with the number of their products."""

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.models import ProductTag, Tag
from services.catalog.tags.schemas import TagPage, TagView

SORT = "tags"
"""This text in a cursor identifies the list: a cursor of another list is refused."""

MAX_COUNT = 1000
_products = select(ProductTag.tag_id).where(ProductTag.tag_id == Tag.id).correlate(Tag).limit(MAX_COUNT).subquery()
COUNT = select(func.count()).select_from(_products.lateral()).scalar_subquery()


def select_tags() -> Select[str, int]:
    """Return the statement that selects the columns of TagView."""
    return select(Tag.name, COUNT.label("products"))


async def list_tags(session: AsyncSession, *, limit: int, cursor: str | None) -> TagPage:
    """Return a page of tags, in order of their names. Raises InvalidCursor."""
    query = select_tags().order_by(Tag.name).limit(limit + 1)
    if cursor is not None:
        (name,) = decode_cursor(cursor, SORT, str)
        query = query.where(Tag.name > name)
    rows = (await session.execute(query)).all()
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(SORT, row.name))
    return TagPage(items=[TagView.model_validate(row) for row in page], next_cursor=next_cursor)
