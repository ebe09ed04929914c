"""The filters of product lists, as SQL conditions."""

import re
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, and_, case, func, null, or_, select

from services.catalog.categories.tree import subtree_of
from services.catalog.errors import PriceRangeEmpty
from services.catalog.models import WORD_SEPARATORS, Product, ProductTag, StockLevel, Tag, Variant
from services.catalog.statuses import Availability, ProductStatus

MAX_TERMS = 10

_left = func.greatest(StockLevel.on_hand - StockLevel.reserved + StockLevel.backorder_limit, 0)
STOCK = (
    select(
        case(
            (func.bool_or(StockLevel.variant_id.is_(None)), null()),
            else_=func.coalesce(func.sum(_left), case((Product.options != [], 0))),
        ).cast(BigInteger)
    )
    .select_from(Variant)
    .outerjoin(StockLevel, StockLevel.variant_id == Variant.id)
    .where(Variant.product_id == Product.id)
    .correlate(Product)
    .scalar_subquery()
)
"""How many units of all variants of a product can be ordered. NULL: one of them has no level, so it is unlimited."""


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """The filters of a list; a product must match all of them. Raises PriceRangeEmpty."""

    q: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    min_price: int | None = None
    max_price: int | None = None
    currency: str | None = None
    status: ProductStatus = ProductStatus.ACTIVE
    availability: Availability | None = None

    def __post_init__(self) -> None:
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise PriceRangeEmpty

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the SQL conditions of the filters that are set."""
        conditions: list[ColumnElement[bool]] = [Product.status == self.status]
        if self.q is not None and self.q.strip():
            terms = to_tsquery(self.q)
            tsquery = func.to_tsquery("simple", terms).op("||")(func.to_tsquery("english", terms))
            conditions.append(Product.search.op("@@")(tsquery))
        if self.category is not None:
            conditions.append(Product.category_id.in_(subtree_of(self.category)))
        if self.tags:
            conditions += [Product.id.in_(_with_tag(tag)) for tag in set(self.tags)]
        if self.min_price is not None:
            conditions.append(Product.price >= self.min_price)
        if self.max_price is not None:
            conditions.append(Product.price <= self.max_price)
        if self.currency is not None:
            conditions.append(Product.currency == self.currency)
        if self.availability is not None:
            conditions.append(_with_availability(self.availability))
        return conditions


def _with_availability(wanted: Availability) -> ColumnElement[bool]:
    if wanted == Availability.OUT:
        return STOCK == 0
    if wanted == Availability.LOW:
        return and_(STOCK > 0, Product.low_stock >= STOCK)
    return or_(STOCK.is_(None), Product.low_stock < STOCK)


def _with_tag(name: str) -> Select[UUID]:
    return select(ProductTag.product_id).join(Tag, Tag.id == ProductTag.tag_id).where(Tag.name == name)


def to_tsquery(q: str) -> str:
    """Return the text of a tsquery that requires the first MAX_TERMS words of `q`. A word also matches the beginning of a longer word.

    Every word is quoted, so that none of its characters is an operator
    (https://www.postgresql.org/docs/current/datatype-textsearch.html#DATATYPE-TSQUERY).
    """
    words = re.sub(rf"[{re.escape(WORD_SEPARATORS)}'\\\\\x00-\x1f]", " ", q).split()[:MAX_TERMS]
    return " & ".join(f"'{word}':*" for word in words)
