"""Create, rename, move and delete categories."""

from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.locks import for_no_key_update
from services.catalog import slugs
from services.catalog.categories.errors import CategoryNotEmpty, CategoryNotFound
from services.catalog.categories.lists import get_category
from services.catalog.categories.schemas import CategoryDetails, CreateCategory, UpdateCategory
from services.catalog.categories.tree import check_parent, lock_tree
from services.catalog.errors import SlugTaken
from services.catalog.models import AuditLogEntry, Category, Product
from services.catalog.preconditions import check_if_sent


class OldValues(NamedTuple):
    """The values of a category before a change, for the audit log."""

    slug: str
    name: str
    parent_id: UUID | None


async def create_category(session: AsyncSession, request: CreateCategory, actor: Actor) -> CategoryDetails:
    """Insert a category. A slug made from the name gets a random suffix if it is taken.

    Raises SlugTaken if the slug of the request is taken, CategoryNotFound for an unknown parent, CategoryTreeInvalid.
    """
    if request.parent_id is not None:
        await lock_tree(session)
        await check_parent(session, request.parent_id)
    for slug in [request.slug] if request.slug else slugs.candidates(request.name, "category"):
        new = insert(Category).values(id=uuid4(), slug=slug, name=request.name, parent_id=request.parent_id)
        new = new.on_conflict_do_nothing(index_elements=["slug"])
        category_id = (await session.execute(new.returning(Category.id))).scalar_one_or_none()
        if category_id is not None:
            category = await get_category(session, str(category_id))
            after = category.model_dump(mode="json", include={"slug", "name", "parent_id"})
            await audit.record(session, AuditLogEntry, actor, "category.created", category_id, after=after)
            return category
    raise SlugTaken


async def update_category(
    session: AsyncSession, category_id: UUID, request: UpdateCategory, if_match: str | None, actor: Actor
) -> CategoryDetails:
    """Rename a category, or move it with its subtree. `if_match` is the header If-Match.

    Raises CategoryNotFound, SlugTaken, CategoryTreeInvalid, PreconditionFailed.
    """
    values = request.model_dump(exclude_unset=True)
    moves = "parent_id" in values
    if moves:
        await lock_tree(session)
    old = await _lock(session, category_id, if_match)
    if moves and request.parent_id is not None:
        await check_parent(session, request.parent_id, category_id)
    await _update(session, category_id, values)
    category = await get_category(session, str(category_id))
    before: dict[str, object] = {name: _json(value) for name, value in old._asdict().items() if name in values}
    after = category.model_dump(mode="json", include=set(values))
    await audit.record(session, AuditLogEntry, actor, "category.changed", category_id, before=before, after=after)
    return category


async def _update(session: AsyncSession, category_id: UUID, values: dict[str, object]) -> None:
    changed = update(Category).where(Category.id == category_id).values(values | {"version": Category.version + 1})
    try:
        async with session.begin_nested():
            await session.execute(changed)
    except IntegrityError as error:
        raise SlugTaken from error


async def delete_category(
    session: AsyncSession,
    category_id: UUID,
    *,
    if_match: str | None = None,
    move_to: UUID | None,
    detach: bool,
    actor: Actor,
) -> None:
    """Delete a category without subcategories. Its products move to `move_to`, or with `detach` have no category.

    Raises CategoryNotFound for an unknown category or target, CategoryNotEmpty, and PreconditionFailed.
    """
    await lock_tree(session)
    old = await _lock(session, category_id, if_match)
    if move_to == category_id:
        raise CategoryNotFound
    if (await session.execute(select(exists().where(Category.parent_id == category_id)))).scalar_one():
        raise CategoryNotEmpty("The category has subcategories. Move or delete them first.")
    target = select(exists().where(Category.id == move_to))
    if move_to is not None and not (await session.execute(target)).scalar_one():
        raise CategoryNotFound(
            "There is no category with the id in `products`. Choose one from GET /catalog/categories."
        )
    if move_to is not None or detach:
        await _lock_products(session, category_id)
        moved = update(Product).where(Product.category_id == category_id)
        changes = {"category_id": move_to, "version": Product.version + 1, "updated_at": func.now()}
        await session.execute(moved.values(changes))
    elif (await session.execute(select(exists().where(Product.category_id == category_id)))).scalar_one():
        raise CategoryNotEmpty("The category has products. Choose `?products=detach` or `?products=move_to:<id>`.")
    await session.execute(delete(Category).where(Category.id == category_id))
    before = {name: _json(value) for name, value in old._asdict().items()}
    after = {"products_moved_to": str(move_to)} if move_to else None
    await audit.record(session, AuditLogEntry, actor, "category.deleted", category_id, before=before, after=after)


async def _lock(session: AsyncSession, category_id: UUID, if_match: str | None) -> OldValues:
    """Lock a category and check its version. Return it as it is now. Raises CategoryNotFound, PreconditionFailed."""
    query = select(Category.slug, Category.name, Category.parent_id, Category.version).where(Category.id == category_id)
    row = (await session.execute(query.with_for_update())).one_or_none()
    if row is None:
        raise CategoryNotFound
    check_if_sent(if_match, row.version)
    return OldValues(row.slug, row.name, row.parent_id)


async def _lock_products(session: AsyncSession, category_id: UUID) -> None:
    """Lock the products of a category in the order of their ids. Moving them, and ON DELETE SET NULL, would lock them in any order."""
    products = select(Product.id).where(Product.category_id == category_id).order_by(Product.id)
    locked = for_no_key_update(products).subquery()
    await session.execute(select(func.count()).select_from(locked))


def _json(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value
