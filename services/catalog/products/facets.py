"""Facets: how many products of a list have each tag, and how many are in each subcategory.

They are counted among the newest matches, at most MAX_FACETED_PRODUCTS. `complete` is true if it is certain that all matches were counted.
With the filter `availability`, it is always false, even if all were counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select, text, true

from kit.db.sql_types import AnyRow
from kit.db.statements import Statement, fetch
from services.catalog.categories.tree import MAX_DEPTH
from services.catalog.db import searching_engine
from services.catalog.models import Tag
from services.catalog.products.filters import ResolvedFilter
from services.catalog.products.plans import Plan, choose
from services.catalog.products.schemas import ProductSort
from services.catalog.products.shapes import FULL_LOOKUPS, MAX_FACETED_PRODUCTS, MAX_INDEX_MATCHES, Shape, Source
from services.catalog.products.statements import MAX_KEPT_STATEMENTS, first_matches, last_walked_statement

K = TypeVar("K", UUID, str)
MAX_SHOWN_FACETS = 20
"""How many facets of tags, and how many of subcategories, are shown: those with the most products."""

_ids = bindparam("ids", type_=ARRAY(Uuid))
TAGS = Statement(select(Tag.id, Tag.name).where(Tag.id == any_(_ids)))
MERGED_TAGS = Statement(select(Tag.name, Tag.merged_ids).where(Tag.merged_ids.op("&&")(_ids)))
# UNION visits each category once.
UPWARDS = Statement(
    text(
        f"""
        WITH RECURSIVE above AS (
            SELECT id, parent_id, slug, name FROM categories WHERE id = ANY(:ids)
            UNION SELECT parent.id, parent.parent_id, parent.slug, parent.name
            FROM categories AS parent JOIN above ON parent.id = above.parent_id
        )
        SELECT id, parent_id, slug, name FROM above LIMIT {MAX_FACETED_PRODUCTS * MAX_DEPTH}
        """  # noqa: S608 -- only constants
    ).bindparams(_ids)
)


async def count_facets(resolved: ResolvedFilter) -> dict[str, object]:
    """Return the facets of the list with these filters: the JSON of `Facets`."""
    plan = choose(resolved, None, MAX_FACETED_PRODUCTS)
    rows = await _first_matches(plan)
    if rows[0].index_matches > MAX_INDEX_MATCHES:
        plan = choose(resolved, None, MAX_FACETED_PRODUCTS, found_too_many=True)
        rows = await _first_matches(plan)
    products = [row for row in rows if row.number is not None]
    complete = len(products) <= MAX_FACETED_PRODUCTS and await _reads_all(plan)
    parent_id = None if resolved.category is None else resolved.category.ids[0]
    return {
        "complete": complete,
        "tags": await _count_tags([row.tag_ids for row in products[:MAX_FACETED_PRODUCTS]]),
        "categories": await _count_categories([row.category_id for row in products[:MAX_FACETED_PRODUCTS]], parent_id),
    }


def _shape(plan: Plan) -> Shape:
    source = Source.WALK_SORT if plan.shape.source == Source.WALK_EACH_CATEGORY else plan.shape.source
    return replace(plan.shape, source=source, sort=ProductSort.NEWEST, has_cursor=False)


@lru_cache(maxsize=MAX_KEPT_STATEMENTS)
def _statement(shape: Shape) -> Statement:
    first, counted = first_matches(shape, MAX_FACETED_PRODUCTS + 1)
    columns = select(first.c.number, first.c.tag_ids, first.c.category_id, counted.c.index_matches)
    return Statement(columns.select_from(counted.outerjoin(first, true())))


async def _first_matches(plan: Plan) -> Sequence[AnyRow]:
    return await fetch(searching_engine, _statement(_shape(plan)), plan.parameters)


async def _reads_all(plan: Plan) -> bool:
    """Return True if it is certain that every match was read. With the filter `availability`, it is never certain."""
    shape = _shape(plan)
    if shape.availability is not None:
        return False
    if shape.source in FULL_LOOKUPS:
        return True
    if shape.source == Source.LOOK_UP_NEWEST:
        return plan.lowest_number == 0
    return not await fetch(searching_engine, last_walked_statement(shape), plan.parameters)


async def _count_tags(tag_ids: Sequence[Sequence[UUID]]) -> list[dict[str, object]]:
    """Count the products of each tag. `tag_ids` has the tags of each product."""
    ids = {id_ for each in tag_ids for id_ in each}
    names: dict[UUID, str] = {row.id: row.name for row in await fetch(searching_engine, TAGS, {"ids": list(ids)})}
    if missing := ids - names.keys():  # of tags that were merged or deleted
        rows = await fetch(searching_engine, MERGED_TAGS, {"ids": list(missing)})
        names |= {id_: row.name for row in rows for id_ in row.merged_ids}
    counts = Counter(name for each in tag_ids for name in {names[id_] for id_ in each if id_ in names})
    return [{"name": name, "products": count} for name, count in _most(counts)]


async def _count_categories(category_ids: Sequence[UUID | None], parent_id: UUID | None) -> list[dict[str, object]]:
    """Count the products of each category whose parent is `parent_id`, with its subcategories. None: the categories at the top of the tree.

    `category_ids` has the category of each product.
    """
    direct = Counter(category for category in category_ids if category is not None)
    rows = {row.id: row for row in await fetch(searching_engine, UPWARDS, {"ids": list(direct)})}
    counts: Counter[UUID] = Counter()
    for category, count in direct.items():
        if (shown := _ancestor_below(category, parent_id, rows)) is not None:
            counts[shown] += count
    return [
        {"id": str(category), "slug": rows[category].slug, "name": rows[category].name, "products": count}
        for category, count in _most(counts)
    ]


def _ancestor_below(category: UUID, parent_id: UUID | None, rows: Mapping[UUID, AnyRow]) -> UUID | None:
    """Return the category itself or the one above it whose parent is `parent_id`, or None."""
    current = category
    for _ in range(MAX_DEPTH):
        if current not in rows:
            break
        above = rows[current].parent_id
        if above == parent_id:
            return current
        current = above
    return None


def _most(counts: Counter[K]) -> list[tuple[K, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], str(each[0])))[:MAX_SHOWN_FACETS]
