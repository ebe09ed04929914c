"""The filters of product lists: what a request asks for, and what it means in the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, null, select
from sqlalchemy.orm import InstrumentedAttribute

from services.catalog.models import Product, Variant
from services.catalog.products.errors import CurrencyRequired, PriceRangeEmpty
from services.catalog.products.schemas import ProductSort
from services.catalog.search.terms import SearchedWords
from services.catalog.statuses import Availability, ProductStatus
from services.catalog.stock.levels import ORDERABLE
from services.catalog.stock.models import StockLevel


def select_orderable(
    product_id: ColumnElement[UUID] | InstrumentedAttribute[UUID],
    options: ColumnElement[list[str]] | InstrumentedAttribute[list[str]],
) -> Select[int | None]:
    """Return the statement that selects how many units of all variants of a product can be ordered.

    NULL: one of them has no level, so it is unlimited.
    """
    orderable = case(
        (func.bool_or(StockLevel.variant_id.is_(None)), null()),
        else_=func.coalesce(func.sum(func.greatest(ORDERABLE, 0)), case((options != [], 0))),
    )
    return (
        select(orderable.cast(BigInteger).label("orderable"))
        .select_from(Variant)
        .outerjoin(StockLevel, StockLevel.variant_id == Variant.id)
        .where(Variant.product_id == product_id)
        .correlate_except(Variant, StockLevel)
    )


SELECT_ORDERABLE = select_orderable(Product.id, Product.options)


class TagMatch(StrEnum):
    """Whether a product must have all tags of a request, or at least one."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """The filters of a request; a product must match all of them. Raises PriceRangeEmpty, CurrencyRequired."""

    q: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    tag_match: TagMatch = TagMatch.ALL
    min_price: int | None = None
    max_price: int | None = None
    currency: str | None = None
    status: ProductStatus = ProductStatus.ACTIVE
    availability: Availability | None = None
    sort: ProductSort | None = None

    def __post_init__(self) -> None:
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise PriceRangeEmpty
        if self.currency is None and (self.has_price or self.sort in {ProductSort.PRICE, ProductSort.PRICE_DESCENDING}):
            raise CurrencyRequired

    @property
    def searches(self) -> bool:
        """Return whether there is a search text."""
        return self.q is not None and bool(self.q.strip())

    @property
    def is_unfiltered(self) -> bool:
        """Return whether no filter is set, so that a page reads no other rows than its own."""
        given = (self.category, self.tags, self.currency, self.availability)
        return not self.searches and not any(given)

    @property
    def effective_sort(self) -> ProductSort:
        """Return the sort, or its default. Without a search text, nothing is relevant: the newest products are first."""
        sort = self.sort or ProductSort.RELEVANCE
        return ProductSort.NEWEST if sort == ProductSort.RELEVANCE and not self.searches else sort

    @property
    def has_price(self) -> bool:
        """Return whether a price limit is set."""
        return self.min_price is not None or self.max_price is not None


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A product must have one of the ids of each group. `matches` is at least the number of products that match, counted up to a limit."""

    groups: tuple[tuple[UUID, ...], ...]
    matches: int


@dataclass(frozen=True, slots=True)
class CategoryFilter:
    """A product must be in one of these categories. `matches` is the number of their products, up to a limit."""

    ids: Sequence[UUID]
    matches: int


@dataclass(frozen=True, slots=True)
class ResolvedFilter:
    """The filters with the ids of the database. `price_matches` is the number of products in the price range, up to a limit."""

    given: ProductFilter
    words: SearchedWords | None
    category: CategoryFilter | None
    tags: TagFilter | None
    price_matches: int | None
