"""List tags with the number of their products."""

from pydantic_core import to_json
from sqlalchemy import BigInteger, Select, Text, bindparam, func, select

from kit.db.statements import Statement, fetch
from kit.pagination import decode_cursor, encode_cursor, split_page
from services.catalog.db import reading_engine
from services.catalog.models import ProductTag, Tag

LIST_NAME = "tags"
"""A cursor is valid only for the list with this name."""

MAX_COUNT = 1000
_products = select(ProductTag.tag_id).where(ProductTag.tag_id == Tag.id).correlate(Tag).limit(MAX_COUNT).subquery()
PRODUCT_COUNT = select(func.count()).select_from(_products.lateral()).scalar_subquery()


def select_tags() -> Select[str, int]:
    """Return the statement that selects the columns of TagView."""
    return select(Tag.name, PRODUCT_COUNT.label("products"))


_page = select_tags().order_by(Tag.name).limit(bindparam("limit", type_=BigInteger))
FIRST_PAGE = Statement(_page)
NEXT_PAGE = Statement(_page.where(Tag.name > bindparam("last", type_=Text)))


async def list_tags(*, limit: int, cursor: str | None) -> bytes:
    """Return a page of tags, in order of their names, as the JSON of a TagPage. Raises InvalidCursor."""
    values: dict[str, object] = {"limit": limit + 1}
    if cursor is not None:
        (values["last"],) = decode_cursor(cursor, LIST_NAME, str)
    rows = await fetch(reading_engine, FIRST_PAGE if cursor is None else NEXT_PAGE, values)
    page, next_cursor = split_page(rows, limit, lambda row: encode_cursor(LIST_NAME, row.name))
    return to_json({"items": [row._asdict() for row in page], "next_cursor": next_cursor})
