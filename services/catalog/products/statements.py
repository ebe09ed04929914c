"""The SQL of product lists. A statement is built once for each shape of a request: the values are parameters.

Every statement reads a bounded number of products. It either looks few of them up in an index, or walks along the index of the sort and
reads at most as many as `window` says; the rest is read for the next page.
"""

from collections.abc import Iterator
from functools import lru_cache

from sqlalchemy import (
    ARRAY,
    CTE,
    REAL,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from kit.db.bulk import table_of
from kit.db.sql_types import AnyColumn, AnyColumns, AnySelect
from kit.db.statements import Statement
from services.catalog.models import NAME_KEY, Product
from services.catalog.products.documents import select_page
from services.catalog.products.filters import select_orderable
from services.catalog.products.schemas import ProductSort
from services.catalog.products.shapes import FULL_LOOKUPS, MAX_INDEX_MATCHES, MAX_RANKED, STOCK_WINDOW, Shape, Source
from services.catalog.statuses import Availability

WEIGHTS = literal_column("'{0.1, 0.8, 0.2, 1}'::real[]", ARRAY(REAL))
"""The weights of a stem in the description, a stem in the name, a word in the description, and a word in the name."""

MAX_KEPT_STATEMENTS = 1000
"""The number of statements that are kept; the one that was used the longest time ago is forgotten first."""

PRODUCTS = table_of(Product)
_NAME_KEY: ColumnElement[str] = literal_column(NAME_KEY, Text).label("name_key")
_COLUMN_NAMES = ("id", "number", "status", "price", "currency", "category_id", "tag_ids", "options", "low_stock")


@lru_cache(maxsize=MAX_KEPT_STATEMENTS)
def page_statement(shape: Shape) -> Statement:
    """Return the statement that selects a page as JSON, with `sort_key`, `product_number`, `index_matches`, `last_sort_key` and
    `last_product_number`.

    `index_matches` is the number of products that a full lookup found in the index, at most MAX_INDEX_MATCHES + 1; for other sources 0.
    `last_sort_key` and `last_product_number` are of the last product whose availability was computed; NULL if the request does not filter
    by availability, or no products are left. If no product is on the page, one row has no id.
    """
    matching, counted = _matching(shape)
    last_sort_key: AnyColumn = null()
    last_product_number: AnyColumn = null()
    if shape.availability is not None:
        first = _in_order(shape, select(matching)).limit(literal_column(str(STOCK_WINDOW))).cte("first")
        page_of = select(first).where(_has_availability(first.c, shape.availability))
        page = _in_order(shape, page_of, only_after_cursor=False).limit(_limit(shape)).cte("page")
        last = (
            _in_order(shape, select(first), only_after_cursor=False)
            .offset(literal_column(str(STOCK_WINDOW - 1)))
            .subquery("last")
        )
        last_sort_key = select(_key(shape, last.c)).scalar_subquery()
        last_product_number = select(last.c.number).scalar_subquery()
    else:
        page = _in_order(shape, select(matching)).limit(_limit(shape)).cte("page")
    joined = counted.outerjoin(page, true()).outerjoin(Product, Product.number == page.c.number)
    columns = (
        _key(shape, page.c).label("sort_key"),
        page.c.number.label("product_number"),
        counted.c.index_matches,
        last_sort_key.label("last_sort_key"),
        last_product_number.label("last_product_number"),
    )
    return Statement(_in_order(shape, select_page(joined, *columns), page.c, only_after_cursor=False))


def first_matches(shape: Shape, limit: int) -> tuple[FromClause, FromClause]:
    """Return the first products that match, in the order of the sort, and the number of index matches.

    These are `limit` products, or those among the first STOCK_WINDOW if availability is a filter.
    """
    matching, counted = _matching(shape)
    sorted_matches = _in_order(shape, select(matching))
    if shape.availability is None:
        return sorted_matches.limit(literal_column(str(limit))).subquery("first"), counted
    window = sorted_matches.limit(literal_column(str(STOCK_WINDOW))).subquery("window")
    available = select(window).where(_has_availability(window.c, shape.availability))
    return available.subquery("first_matching"), counted


@lru_cache(maxsize=MAX_KEPT_STATEMENTS)
def last_walked_statement(shape: Shape) -> Statement:
    """Return the statement that selects the keys of the last product of a full window, as `last_sort_key` and `last_product_number`."""
    columns = select(_key(shape, PRODUCTS.c).label("last_sort_key"), PRODUCTS.c.number.label("last_product_number"))
    query = _in_order(shape, columns.where(*_walk_conditions(shape)), PRODUCTS.c)
    return Statement(query.offset(literal_column(str(shape.window - 1))).limit(literal_column("1")))


def _matching(shape: Shape) -> tuple[FromClause, FromClause]:
    """Return the products that match all filters except that of availability, and the number of index matches."""
    counted = select(literal_column("0").label("index_matches")).subquery("counted")
    if shape.source in FULL_LOOKUPS:
        limited = select(_looked_up(shape)).limit(literal_column(str(MAX_INDEX_MATCHES + 1))).cte("limited")
        counted = select(func.count().label("index_matches")).select_from(limited).subquery("counted")
        return _filtered(shape, limited), counted
    if shape.source == Source.LOOK_UP_NEWEST:
        looked_up = _looked_up(shape)
        if shape.sort == ProductSort.NEWEST:
            return _filtered(shape, looked_up), counted
        newest = (
            select(looked_up)
            .order_by(looked_up.c.number.desc())
            .limit(literal_column(str(MAX_RANKED)))
            .subquery("newest")
        )
        return _filtered(shape, newest), counted
    if shape.source == Source.WALK_EACH_CATEGORY:
        return _of_each_category(shape), counted
    return _filtered(shape, _walked(shape)), counted


def _looked_up(shape: Shape) -> CTE:
    """Return the products that the index of the source finds."""
    return select(*_columns(shape)).where(*_index_conditions(shape)).cte("looked_up").prefix_with("MATERIALIZED")


def _columns(shape: Shape) -> list[AnyColumn]:
    needs_vector = shape.compares_words or shape.sort == ProductSort.RELEVANCE
    names = (*_COLUMN_NAMES, "search") if needs_vector else _COLUMN_NAMES
    return [*(PRODUCTS.c[name] for name in names), _NAME_KEY]


def _walked(shape: Shape) -> FromClause:
    """Return the next products of the index of the sort, before any other filter. Sorted by relevance, they are the newest ones."""
    query = select(*_columns(shape)).where(*_walk_conditions(shape))
    by_relevance = shape.sort == ProductSort.RELEVANCE
    query = query.order_by(PRODUCTS.c.number.desc()) if by_relevance else _in_order(shape, query, PRODUCTS.c)
    return query.limit(literal_column(str(shape.window))).subquery("walked")


def _walk_conditions(shape: Shape) -> Iterator[ColumnElement[bool]]:
    yield PRODUCTS.c.status == bindparam("status", type_=Text)
    if shape.source == Source.WALK_CATEGORY:
        yield PRODUCTS.c.category_id == bindparam("category", type_=Uuid)
    if shape.sorts_by_price:
        yield from _price_conditions(shape, PRODUCTS.c)


def _of_each_category(shape: Shape) -> FromClause:
    """For each category, return the numbers of its next `limit` products. The page is chosen from them. An index-only scan is enough."""
    ids = func.unnest(bindparam("categories", type_=ARRAY(Uuid))).table_valued(column("id", Uuid), name="of")
    categories = ids.render_derived()
    query = select(PRODUCTS.c.number).where(
        PRODUCTS.c.category_id == categories.c.id, PRODUCTS.c.status == bindparam("status", type_=Text)
    )
    first = _in_order(shape, query.correlate(categories), PRODUCTS.c).limit(_limit(shape)).lateral("first")
    return select(first.c.number).select_from(categories.join(first, true())).subquery("each")


def _filtered(shape: Shape, products: FromClause) -> FromClause:
    columns: list[AnyColumn] = [products.c[name] for name in (*_COLUMN_NAMES, "name_key")]
    if shape.sort == ProductSort.RELEVANCE:
        rank = func.ts_rank_cd(WEIGHTS, products.c.search, _tsquery("query"), 1)
        columns.append(cast(cast(rank, Numeric) * 1_000_000, BigInteger).label("score"))
    return select(*columns).where(*_conditions(shape, products.c)).subquery("matching")


def _index_conditions(shape: Shape) -> list[ColumnElement[bool]]:
    """Return the conditions that the index of the source looks up."""
    if shape.source == Source.LOOK_UP_CATEGORY:
        return [_in_categories(PRODUCTS.c)]
    if shape.source == Source.LOOK_UP_PRICE:
        return [PRODUCTS.c.status == bindparam("status", type_=Text), *_price_conditions(shape, PRODUCTS.c)]
    conditions = [PRODUCTS.c.search.op("@@")(_tsquery("index_query"))] if shape.looks_words_up else []
    return [*conditions, *_tag_conditions(shape, PRODUCTS.c)]


def _conditions(shape: Shape, columns: AnyColumns) -> Iterator[ColumnElement[bool]]:
    yield columns.status == bindparam("status", type_=Text)
    if shape.compares_words:
        yield columns.search.op("@@")(_tsquery("query"))
    yield from _tag_conditions(shape, columns)
    if shape.category:
        yield _in_categories(columns)
    yield from _price_conditions(shape, columns)


def _tag_conditions(shape: Shape, columns: AnyColumns) -> Iterator[ColumnElement[bool]]:
    for number in range(shape.tag_groups):
        yield columns.tag_ids.op("&&")(bindparam(f"tags_{number}", type_=ARRAY(Uuid)))


def _price_conditions(shape: Shape, columns: AnyColumns) -> Iterator[ColumnElement[bool]]:
    if shape.currency:
        yield columns.currency == bindparam("currency", type_=Text)
    if shape.min_price:
        yield columns.price >= bindparam("min_price", type_=BigInteger)
    if shape.max_price:
        yield columns.price <= bindparam("max_price", type_=BigInteger)


def _in_categories(columns: AnyColumns) -> ColumnElement[bool]:
    return columns.category_id == any_(bindparam("categories", type_=ARRAY(Uuid)))  # type: ignore[no-any-return]


def _has_availability(columns: AnyColumns, wanted: Availability) -> ColumnElement[bool]:
    orderable = select_orderable(columns.id, columns.options).scalar_subquery()
    if wanted == Availability.OUT:
        return orderable == 0
    if wanted == Availability.LOW:
        return and_(orderable > 0, columns.low_stock >= orderable)
    return or_(orderable.is_(None), columns.low_stock < orderable)


def _tsquery(name: str) -> AnyColumn:
    return cast(bindparam(name, type_=Text), TSQUERY)


def _limit(shape: Shape) -> ColumnElement[int]:
    # The limit is in the text of the statement: for a parameter, Postgres could plan for a tenth of all products.
    return literal_column(str(shape.limit), Integer)


def _key(shape: Shape, columns: AnyColumns) -> AnyColumn:
    """Return the key of the sort: of products, or of a selection of them."""
    name = _key_name(shape)
    if name == "name_key" and columns is PRODUCTS.c:
        return literal_column(NAME_KEY, Text)
    key: AnyColumn = columns[name]
    return key


def _key_name(shape: Shape) -> str:
    if shape.sort == ProductSort.NEWEST:
        return "number"
    if shape.sort == ProductSort.RELEVANCE:
        return "score"
    return "name_key" if shape.sort == ProductSort.NAME else "price"


def _in_order(
    shape: Shape, query: AnySelect, columns: AnyColumns | None = None, *, only_after_cursor: bool = True
) -> AnySelect:
    """Return the query in the order of the sort, and with `only_after_cursor` only what follows the cursor."""
    selected: AnyColumns = query.selected_columns if columns is None else columns
    keys: list[AnyColumn] = [selected.number]
    last: list[AnyColumn] = [bindparam("after_number", type_=BigInteger)]
    if shape.sort != ProductSort.NEWEST:
        keys.insert(0, _key(shape, selected))
        kind: Text | BigInteger = Text() if shape.sort == ProductSort.NAME else BigInteger()
        last.insert(0, bindparam("after_key", type_=kind))
    if only_after_cursor and shape.has_cursor:
        position, end = tuple_(*keys), tuple_(*last)
        query = query.where(position < end if shape.descending else position > end)
    return query.order_by(*(key.desc() if shape.descending else key for key in keys))
