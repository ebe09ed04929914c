"""Categories that products are filed under."""

from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit import pagination
from services.catalog.errors import SlugTaken
from services.catalog.models import Category
from services.catalog.schemas import Categories, CategoryOut, NewCategory
from services.catalog.slugs import slugs_for

COLUMNS = (Category.id, Category.slug, Category.name)


async def create(session: AsyncSession, new: NewCategory) -> CategoryOut:
    """Raises SlugTaken for a slug that was asked for; one that is made from the name gets a suffix where it is taken."""
    for slug in [new.slug] if new.slug else slugs_for(new.name, "category"):
        made = insert(Category).values(id=uuid4(), slug=slug, name=new.name)
        made = made.on_conflict_do_nothing(index_elements=["slug"])
        row = (await session.execute(made.returning(*COLUMNS))).one_or_none()
        if row is not None:
            return CategoryOut.model_validate(row)
    raise SlugTaken


async def listed(session: AsyncSession, *, limit: int, cursor: str | None) -> Categories:
    """A page of categories, by slug."""
    query = select(*COLUMNS).order_by(Category.slug).limit(limit + 1)
    if cursor is not None:
        (slug,) = pagination.decode_cursor(cursor, "categories", str)
        query = query.where(Category.slug > slug)
    rows = (await session.execute(query)).all()
    page = rows[:limit]
    following = pagination.encode_cursor("categories", page[-1].slug) if len(rows) > limit else None
    return Categories(items=[CategoryOut.model_validate(row) for row in page], next_cursor=following)
