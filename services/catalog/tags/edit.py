"""Rename, merge and delete tags."""

from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from services.catalog.models import AuditLogEntry, ProductTag, Tag
from services.catalog.tags.errors import TagExists, TagNotFound
from services.catalog.tags.lists import select_tags
from services.catalog.tags.schemas import TagView, UpdateTag


async def update_tag(session: AsyncSession, name: str, request: UpdateTag, actor: Actor) -> TagView:
    """Rename a tag, or merge it into the tag that already has the new name. Raises TagNotFound, TagExists."""
    # Both tags in order of name, so that two editors do not deadlock.
    both = select(Tag.name, Tag.id).where(Tag.name.in_([name, request.name])).order_by(Tag.name).with_for_update()
    ids = {row.name: row.id for row in await session.execute(both)}
    if name not in ids:
        raise TagNotFound
    if request.name not in ids:
        await session.execute(update(Tag).where(Tag.id == ids[name]).values(name=request.name))
        await _record(session, actor, "tag.renamed", name, request.name)
    elif request.name != name:
        if not request.merge:
            raise TagExists
        await _merge(session, ids[name], ids[request.name])
        await _record(session, actor, "tag.merged", name, request.name)
    row = (await session.execute(select_tags().where(Tag.name == request.name))).one()
    return TagView.model_validate(row)


async def delete_tag(session: AsyncSession, name: str, actor: Actor) -> None:
    """Delete a tag. Its products keep their other tags. Raises TagNotFound."""
    deleted = await session.execute(delete(Tag).where(Tag.name == name).returning(Tag.id))
    if deleted.scalar_one_or_none() is None:
        raise TagNotFound
    await audit.record(session, AuditLogEntry, actor, "tag.deleted", name, before={"name": name})


async def _merge(session: AsyncSession, source: UUID, target: UUID) -> None:
    """Link the products of `source` to `target`, except those that have both, and delete `source`.

    The products keep the id of `source` in `tag_ids`. A filter by `target` also looks for the ids in `target.merged_ids`, so it finds them.
    """
    both = select(ProductTag.product_id).where(ProductTag.tag_id == target)
    moved = (
        update(ProductTag).where(ProductTag.tag_id == source, ProductTag.product_id.not_in(both)).values(tag_id=target)
    )
    await session.execute(moved)
    old = select(Tag.merged_ids).where(Tag.id == source).scalar_subquery()
    merged_ids = func.array_cat(func.array_append(Tag.merged_ids, source), old)
    await session.execute(update(Tag).where(Tag.id == target).values(merged_ids=merged_ids))
    await session.execute(delete(Tag).where(Tag.id == source))


async def _record(session: AsyncSession, actor: Actor, act: str, old: str, new: str) -> None:
    await audit.record(session, AuditLogEntry, actor, act, old, before={"name": old}, after={"name": new})
