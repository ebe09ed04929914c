"""Find what the filters of a request mean in the database: ids, and how many products match each filter, up to a limit."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, Uuid, any_, bindparam, func, literal_column, select

from kit.db.sql_types import AnySelect
from kit.db.statements import Statement, fetch
from services.catalog.categories.tree import subtree_below
from services.catalog.db import searching_engine
from services.catalog.models import Category, Product, ProductTag, Tag
from services.catalog.products.filters import CategoryFilter, ProductFilter, ResolvedFilter, TagFilter, TagMatch
from services.catalog.products.shapes import MAX_EXPECTED_MATCHES
from services.catalog.search.terms import SearchedWords
from services.catalog.search.words import analyse
from services.catalog.slugs import format_of

LIMIT = MAX_EXPECTED_MATCHES + 1
_product_tags = select(ProductTag.tag_id).where(ProductTag.tag_id == Tag.id).correlate(Tag).limit(LIMIT).subquery()
_products_with_tag = select(func.count()).select_from(_product_tags.lateral()).scalar_subquery()
TAGS = Statement(
    select(Tag.name, Tag.id, Tag.merged_ids, _products_with_tag.label("matches")).where(
        Tag.name == any_(bindparam("names", type_=ARRAY(Text)))
    )
)
SUBTREES = {
    "id": Statement(subtree_below(Category.id == bindparam("category", type_=Uuid))),
    "slug": Statement(subtree_below(Category.slug == bindparam("category", type_=Text))),
}


def _count(query: AnySelect) -> Statement:
    return Statement(select(func.count()).select_from(query.limit(literal_column(str(LIMIT))).subquery()))


_one: AnySelect = select(literal_column("1")).where(Product.status == bindparam("status", type_=Text))
IN_CATEGORIES = _count(_one.where(Product.category_id == any_(bindparam("categories", type_=ARRAY(Uuid)))))
IN_PRICE_RANGE = _count(
    _one.where(
        Product.currency == bindparam("currency", type_=Text),
        Product.price >= bindparam("min_price", type_=BigInteger),
        Product.price <= bindparam("max_price", type_=BigInteger),
    )
)
MAX_PRICE = 2**62


async def resolve(given: ProductFilter, q: str | None) -> ResolvedFilter | None:
    """Return the filters with the text `q` as the search text, or None if no product can match. Raises TooManyWords."""
    words: SearchedWords | None = None
    if q is not None and given.searches:
        words = await analyse(q)
        if not words.terms:
            return None
    category = tags = price_matches = None
    if given.category is not None:
        category = await _category(given.category, given.status.value)
        if category is None:
            return None
    if given.tags:
        tags = await _tags(given.tags, given.tag_match)
        if tags is None:
            return None
    if given.currency is not None:
        price_matches = await _price_matches(given)
    return ResolvedFilter(given, words, category, tags, price_matches)


async def _category(id_or_slug: str, status: str) -> CategoryFilter | None:
    text_format = format_of(id_or_slug)
    if text_format == "none":
        return None
    category = UUID(id_or_slug) if text_format == "id" else id_or_slug
    ids = [row.id for row in await fetch(searching_engine, SUBTREES[text_format], {"category": category})]
    if not ids:
        return None
    counted = await fetch(searching_engine, IN_CATEGORIES, {"categories": ids, "status": status})
    return CategoryFilter(ids, counted[0][0])


async def _tags(names: Sequence[str], match: TagMatch) -> TagFilter | None:
    """Return the ids of the tags, or None if a required tag is unknown."""
    rows = await fetch(searching_engine, TAGS, {"names": sorted(set(names))})
    if not rows or (match == TagMatch.ALL and len(rows) < len(set(names))):
        return None
    groups = sorted((row.id, *row.merged_ids) for row in rows)
    if match == TagMatch.ALL:
        return TagFilter(tuple(groups), min(row.matches for row in rows))
    return TagFilter((tuple(id_ for group in groups for id_ in group),), sum(row.matches for row in rows))


async def _price_matches(given: ProductFilter) -> int:
    parameters = {
        "status": given.status.value,
        "currency": given.currency,
        "min_price": given.min_price or 0,
        "max_price": MAX_PRICE if given.max_price is None else given.max_price,
    }
    counted: int = (await fetch(searching_engine, IN_PRICE_RANGE, parameters))[0][0]
    return counted
