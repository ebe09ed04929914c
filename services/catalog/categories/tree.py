"""The tree of categories: ancestors, subtrees, and the rules of a move."""

from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Select, exists, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.catalog.categories.errors import CategoryNotFound, CategoryTreeInvalid
from services.catalog.models import Category

MAX_DEPTH = 8
"""The largest number of levels. It also ends every recursive query, whatever the table contains."""

LOCK_TREE = text("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE")


async def lock_tree(session: AsyncSession) -> None:
    """Let one transaction at a time change the tree, so that two moves cannot make a cycle together.

    Reads and orders do not wait. It is the first lock of the transaction, so that two of them do not deadlock.
    """
    await session.execute(LOCK_TREE)


def subtree_below(start: ColumnElement[bool]) -> Select[UUID]:
    """Return the statement that selects the ids of the category that matches the condition and of all categories below it."""
    return select(_walk_down(start).c.id)


def _walk_down(start: ColumnElement[bool]) -> CTE:
    """Return id and level of the categories that match the condition, which have level 1, and of those below them."""
    found = select(Category.id, literal(1).label("level")).where(start).cte("subtree", recursive=True)
    child = aliased(Category)
    below = select(child.id, found.c.level + 1).join(found, child.parent_id == found.c.id)
    return found.union_all(below.where(found.c.level < MAX_DEPTH))


def select_ancestors(category_id: UUID) -> Select[UUID, str, str]:
    """Return the statement that selects id, slug and name of the categories above one, from the top down."""
    start = select(Category.parent_id, literal(0).label("level")).where(Category.id == category_id)
    found = start.cte("ancestors", recursive=True)
    parent = aliased(Category)
    above = select(parent.parent_id, found.c.level + 1).join(found, parent.id == found.c.parent_id)
    found = found.union_all(above.where(found.c.level < MAX_DEPTH))
    columns = select(Category.id, Category.slug, Category.name).join(found, Category.id == found.c.parent_id)
    return columns.order_by(found.c.level.desc())


async def check_parent(session: AsyncSession, parent_id: UUID, moved: UUID | None = None) -> None:
    """Check that a category can be placed below `parent_id`; `moved` is an existing category with its subtree. The tree is locked.

    Raises CategoryNotFound if there is no such parent, and CategoryTreeInvalid for a cycle or more than MAX_DEPTH levels.
    """
    if not (await session.execute(select(exists().where(Category.id == parent_id)))).scalar_one():
        raise CategoryNotFound
    above = [row.id for row in await session.execute(select_ancestors(parent_id))]
    if moved is not None and moved in {parent_id, *above}:
        raise CategoryTreeInvalid("A category cannot be moved into itself or into one of its subcategories.")
    height = 1 if moved is None else await _height_of(session, moved)
    levels = len(above) + 1 + height
    if levels > MAX_DEPTH:
        raise CategoryTreeInvalid(
            f"The tree would have {levels} levels, and it can have {MAX_DEPTH}. Choose a category that is higher in the tree."
        )


async def _height_of(session: AsyncSession, category_id: UUID) -> int:
    """Return the number of levels of the subtree of a category; 1 if it has no subcategories."""
    heights = _walk_down(Category.id == category_id)
    return int((await session.execute(select(func.max(heights.c.level)))).scalar_one())
