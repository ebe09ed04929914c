"""The filters of product lists, as SQL conditions with parameters."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    null,
    or_,
    select,
)

from services.catalog.categories.tree import subtree_below
from services.catalog.errors import PriceRangeEmpty
from services.catalog.models import WORD_SEPARATORS, Category, Product, ProductTag, StockLevel, Tag, Variant
from services.catalog.slugs import kind_of
from services.catalog.statuses import Availability, ProductStatus

MAX_TERMS = 10

_left = func.greatest(StockLevel.on_hand - StockLevel.reserved + StockLevel.backorder_limit, 0)
SELECT_STOCK = (
    select(
        case(
            (func.bool_or(StockLevel.variant_id.is_(None)), null()),
            else_=func.coalesce(func.sum(_left), case((Product.options != [], 0))),
        )
        .cast(BigInteger)
        .label("units")
    )
    .select_from(Variant)
    .outerjoin(StockLevel, StockLevel.variant_id == Variant.id)
    .where(Variant.product_id == Product.id)
    .correlate(Product)
)
"""How many units of all variants of a product can be ordered. NULL: one of them has no level, so it is unlimited."""

STOCK = SELECT_STOCK.scalar_subquery()


class Shape(NamedTuple):
    """Which filters are set. Lists with the same shape have the same statement, and other values."""

    searches: bool
    category: Literal["id", "slug", "none"] | None
    tags: int
    min_price: bool
    max_price: bool
    currency: bool
    availability: Availability | None

    def is_plain(self) -> bool:
        """Return whether no filter is set, so that a page reads no other rows than its own."""
        return not any(self)

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the SQL conditions of the filters that are set. Their parameters are `ProductFilter.values`."""
        conditions: list[ColumnElement[bool]] = [Product.status == bindparam("status", type_=Text)]
        if self.searches:
            terms = bindparam("terms", type_=Text)
            tsquery = func.to_tsquery("simple", terms).op("||")(func.to_tsquery("english", terms))
            conditions.append(Product.search.op("@@")(tsquery))
        if self.category is not None:
            conditions.append(Product.category_id.in_(subtree_below(_category(self.category))))
        conditions += [Product.id.in_(_with_tag(f"tag_{n}")) for n in range(self.tags)]
        if self.min_price:
            conditions.append(Product.price >= bindparam("min_price", type_=BigInteger))
        if self.max_price:
            conditions.append(Product.price <= bindparam("max_price", type_=BigInteger))
        if self.currency:
            conditions.append(Product.currency == bindparam("currency", type_=Text))
        if self.availability is not None:
            conditions.append(_with_availability(self.availability))
        return conditions


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """The filters of a list; a product must match all of them. Raises PriceRangeEmpty."""

    q: str | None = None
    category: str | None = None
    tags: frozenset[str] = frozenset()
    min_price: int | None = None
    max_price: int | None = None
    currency: str | None = None
    status: ProductStatus = ProductStatus.ACTIVE
    availability: Availability | None = None

    def __post_init__(self) -> None:
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise PriceRangeEmpty

    def shape(self) -> Shape:
        """Return which filters are set."""
        return Shape(
            searches=self.q is not None and bool(self.q.strip()),
            category=None if self.category is None else kind_of(self.category),
            tags=len(self.tags),
            min_price=self.min_price is not None,
            max_price=self.max_price is not None,
            currency=self.currency is not None,
            availability=self.availability,
        )

    def values(self) -> dict[str, object]:
        """Return the parameters of the conditions."""
        return {
            "status": self.status.value,
            "terms": to_tsquery(self.q or ""),
            "category": self.category,
            **{f"tag_{n}": tag for n, tag in enumerate(self.tags)},
            "min_price": self.min_price,
            "max_price": self.max_price,
            "currency": self.currency,
        }


def _category(kind: Literal["id", "slug", "none"]) -> ColumnElement[bool]:
    if kind == "none":
        return false()
    if kind == "id":
        return Category.id == cast(bindparam("category", type_=Text), Uuid)
    return Category.slug == bindparam("category", type_=Text)


def _with_availability(wanted: Availability) -> ColumnElement[bool]:
    if wanted == Availability.OUT:
        return STOCK == 0
    if wanted == Availability.LOW:
        return and_(STOCK > 0, Product.low_stock >= STOCK)
    return or_(STOCK.is_(None), Product.low_stock < STOCK)


def _with_tag(parameter: str) -> Select[UUID]:
    named = Tag.name == bindparam(parameter, type_=Text)
    return select(ProductTag.product_id).join(Tag, Tag.id == ProductTag.tag_id).where(named)


def to_tsquery(q: str) -> str:
    """Return the text of a tsquery that requires the first MAX_TERMS words of `q`. A word also matches the beginning of a longer word.

    Every word is quoted, so that none of its characters is an operator
    (https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY).
    """
    words = re.sub(rf"[{re.escape(WORD_SEPARATORS)}'\\\\\x00-\x1f]", " ", q).split()[:MAX_TERMS]
    return " & ".join(f"'{word}':*" for word in words)
