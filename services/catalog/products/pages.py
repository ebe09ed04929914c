"""A page of a filtered and sorted list of products."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from kit.db.sql_types import AnyRow
from kit.db.statements import fetch
from kit.pagination import decode_cursor, encode_cursor
from services.catalog.db import reading_engine, searching_engine
from services.catalog.products.documents import add_stock, page_json
from services.catalog.products.facets import count_facets
from services.catalog.products.filters import ProductFilter, ResolvedFilter
from services.catalog.products.plans import Plan, Position, choose
from services.catalog.products.resolve import resolve
from services.catalog.products.schemas import ProductSort
from services.catalog.products.shapes import MAX_INDEX_MATCHES, Source
from services.catalog.products.statements import last_walked_statement, page_statement
from services.catalog.search.words import correct

LIST_NAME = "products, {sort}"
"""A cursor is valid only for the list with this name, so also only for its sort."""


@dataclass(frozen=True, slots=True)
class Found:
    """Up to limit + 1 rows of a page, and how many products a lookup found in the index.

    `last_sort_key` and `last_product_number`: of the last product whose availability was computed. None if the request does not filter by
    availability, or no products are left.
    """

    rows: Sequence[AnyRow]
    index_matches: int
    last_sort_key: int | str | None
    last_product_number: int | None


async def list_products(
    given: ProductFilter, *, limit: int, cursor: str | None, with_stock: bool = False, facets: bool = False
) -> bytes:
    """Return a page of the products that match the filters, as the JSON of a ProductPage. Raises InvalidCursor, TooManyWords."""
    position = None if cursor is None else _decode(cursor, given.effective_sort)
    resolved = await resolve(given, given.q)
    if resolved is None:
        no_facets = {"complete": given.availability is None, "tags": [], "categories": []}
        return page_json([], None, {"facets": no_facets} if facets else {})
    plan, found = await _find(resolved, position, limit)
    more: dict[str, object] = {}
    if resolved.words is not None and plan.shape.source == Source.LOOK_UP_WORDS_AND_TAGS and found.index_matches == 0:
        corrected = await correct(resolved.words)
        if corrected is not None and (other := await resolve(given, corrected)) is not None:
            resolved = other
            plan, found = await _find(resolved, position, limit)
            more["corrected"] = corrected
    if plan.shape.max_ranked is not None:
        more["ranked_newest"] = plan.shape.max_ranked
    if facets:
        more["facets"] = await count_facets(resolved)
    documents = [add_stock(row.document, row.orderable) if with_stock else row.document for row in found.rows[:limit]]
    return page_json(documents, await _next_cursor(plan, found, limit), more)


async def _find(resolved: ResolvedFilter, position: Position | None, limit: int) -> tuple[Plan, Found]:
    engine = reading_engine if resolved.given.is_unfiltered else searching_engine
    plan = choose(resolved, position, limit + 1)
    found = await _execute(engine, plan)
    if found.index_matches > MAX_INDEX_MATCHES:
        plan = choose(resolved, position, limit + 1, found_too_many=True)
        found = await _execute(engine, plan)
    return plan, found


async def _execute(engine: AsyncEngine, plan: Plan) -> Found:
    rows = await fetch(engine, page_statement(plan.shape), plan.parameters)
    first = rows[0]
    return Found(
        [row for row in rows if row.id is not None], first.index_matches, first.last_sort_key, first.last_product_number
    )


async def _next_cursor(plan: Plan, page: Found, limit: int) -> str | None:
    """Return the cursor of the next page, or None. It begins after the last row, or after the last product that was compared
    with the filters."""
    shape = plan.shape
    if len(page.rows) > limit:
        return _encode(shape.sort, page.rows[limit - 1].sort_key, page.rows[limit - 1].product_number)
    if page.last_sort_key is not None and page.last_product_number is not None:
        return _encode(shape.sort, page.last_sort_key, page.last_product_number)
    walks = shape.source in {Source.WALK_SORT, Source.WALK_CATEGORY} and shape.sort != ProductSort.RELEVANCE
    if walks and shape.filters_while_walking:
        last = await fetch(searching_engine, last_walked_statement(shape), plan.parameters)
        return _encode(shape.sort, last[0].last_sort_key, last[0].last_product_number) if last else None
    if shape.source == Source.LOOK_UP_NEWEST and shape.sort == ProductSort.NEWEST and plan.lowest_number > 0:
        return encode_cursor(LIST_NAME.format(sort=shape.sort), plan.lowest_number)
    return None


def _encode(sort: ProductSort, key: int | str, number: int) -> str:
    name = LIST_NAME.format(sort=sort)
    return encode_cursor(name, number) if sort == ProductSort.NEWEST else encode_cursor(name, key, number)


def _decode(cursor: str, sort: ProductSort) -> Position:
    name = LIST_NAME.format(sort=sort)
    if sort == ProductSort.NEWEST:
        return decode_cursor(cursor, name, int)
    return decode_cursor(cursor, name, str, int) if sort == ProductSort.NAME else decode_cursor(cursor, name, int, int)
