"""Create categories."""

from uuid import uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from services.catalog import slugs
from services.catalog.categories.lists import COLUMNS
from services.catalog.categories.schemas import CategoryView, CreateCategory
from services.catalog.errors import SlugTaken
from services.catalog.models import AuditLogEntry, Category


async def create_category(session: AsyncSession, request: CreateCategory, actor: Actor) -> CategoryView:
    """Insert a category. A slug made from the name gets a random suffix if it is taken.

    Raises SlugTaken if the slug of the request is taken.
    """
    for slug in [request.slug] if request.slug else slugs.candidates(request.name, "category"):
        new = insert(Category).values(id=uuid4(), slug=slug, name=request.name)
        new = new.on_conflict_do_nothing(index_elements=["slug"])
        row = (await session.execute(new.returning(*COLUMNS))).one_or_none()
        if row is not None:
            category = CategoryView.model_validate(row)
            after = {"slug": category.slug, "name": category.name}
            await audit.record(session, AuditLogEntry, actor, "category.created", category.id, after=after)
            return category
    raise SlugTaken
