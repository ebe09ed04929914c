"""Set the tags of a product."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Text, bindparam, column, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.bulk import table_of
from kit.db.locks import for_key_share
from kit.errors import Unavailable
from services.catalog.models import ProductTag, Tag

TAGS, PRODUCT_TAGS = table_of(Tag), table_of(ProductTag)
ATTEMPTS = 3

_names = (
    func.unnest(bindparam("names", type_=ARRAY(Text))).table_valued(column("name", Text), name="names").render_derived()
)
# In order of name, so that two editors do not deadlock.
INSERT_TAGS = (
    insert(TAGS)
    .from_select(["id", "name"], select(func.gen_random_uuid(), _names.c.name).order_by(_names.c.name))
    .on_conflict_do_nothing(index_elements=["name"])
)
# The lock keeps a tag from being deleted or renamed before the product has it.
LOCK_TAGS = for_key_share(
    select(TAGS.c.name, TAGS.c.id).where(TAGS.c.name.in_(select(_names.c.name))).order_by(TAGS.c.name)
)


async def set_tags(session: AsyncSession, product_id: UUID, names: Sequence[str]) -> None:
    """Replace the tags of a product by the tags with these distinct names, in this sequence. New names become new tags.

    The caller has locked the product, or inserted it in this transaction.
    """
    # The tags are locked before the rows of product_tags: the deletion of a tag locks in this sequence too, so the two cannot deadlock.
    ids = await _find_or_add(session, names) if names else {}
    await session.execute(delete(ProductTag).where(ProductTag.product_id == product_id))
    if not names:
        return
    rows = [{"product_id": product_id, "tag_id": ids[name]} for name in names]
    await session.execute(insert(PRODUCT_TAGS), rows)


async def _find_or_add(session: AsyncSession, names: Sequence[str]) -> dict[str, UUID]:
    """Lock the tags with these names and return their ids. Tags that do not exist, or are deleted meanwhile, are added."""
    parameters = {"names": sorted(names)}
    for _ in range(ATTEMPTS):
        await session.execute(INSERT_TAGS, parameters)
        found = {row.name: row.id for row in await session.execute(LOCK_TAGS, parameters)}
        if len(found) == len(names):
            return found
    raise Unavailable
