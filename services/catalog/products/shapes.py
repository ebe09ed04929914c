"""The shapes of the statements that list products: what a statement depends on, except the values."""

from dataclasses import dataclass
from enum import StrEnum

from services.catalog.products.schemas import ProductSort
from services.catalog.statuses import Availability

MAX_EXPECTED_MATCHES = 800
"""A lookup is chosen if it is expected to find at most this many products."""

MAX_INDEX_MATCHES = 2 * MAX_EXPECTED_MATCHES
"""If a lookup finds more products than this, the products are read along the index of the sort, or only the newest are looked up."""

MAX_FACETED_PRODUCTS = 1000
"""Facets are counted among at most this many of the newest matches."""

STOCK_WINDOW = 100
"""The availability, which is in other tables, is computed for at most this many products of a page."""

MAX_RANKED = 2000
"""At most this many of the newest products with the words are ranked by relevance, if the index looks the newest ones up."""


class Source(StrEnum):
    """How the products of a page are found."""

    WALK_SORT = "walk along the index of the sort"
    WALK_CATEGORY = "walk along the index of one category"
    WALK_EACH_CATEGORY = "walk along the index of each category"
    LOOK_UP_WORDS_AND_TAGS = "look up all products with these words and tags"
    LOOK_UP_NEWEST = "look up the newest products with these words and tags"
    LOOK_UP_CATEGORY = "look up all products of these categories"
    LOOK_UP_PRICE = "look up all products in a price range"


FULL_LOOKUPS = {Source.LOOK_UP_WORDS_AND_TAGS, Source.LOOK_UP_CATEGORY, Source.LOOK_UP_PRICE}
"""The sources that look up all products with an index, and count them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on, except the values. `tag_groups`: the number of groups; a product needs one tag of each.

    `compares_words`: the words are compared with each product that is read; `looks_words_up`: the index looks words up.
    """

    source: Source
    sort: ProductSort
    window: int
    limit: int
    compares_words: bool = False
    looks_words_up: bool = False
    tag_groups: int = 0
    category: bool = False
    currency: bool = False
    min_price: bool = False
    max_price: bool = False
    availability: Availability | None = None
    has_cursor: bool = False

    @property
    def sorts_by_price(self) -> bool:
        return self.sort in {ProductSort.PRICE, ProductSort.PRICE_DESCENDING}

    @property
    def descending(self) -> bool:
        return self.sort not in {ProductSort.PRICE, ProductSort.NAME}

    @property
    def max_ranked(self) -> int | None:
        """Return the largest number of the newest matches that a list by relevance can contain; None if it contains all matches."""
        if self.sort != ProductSort.RELEVANCE or self.source in FULL_LOOKUPS:
            return None
        return MAX_RANKED if self.source == Source.LOOK_UP_NEWEST else self.window

    @property
    def filters_while_walking(self) -> bool:
        """Return whether a product that is read can be left out of the page."""
        price = not self.sorts_by_price and (self.currency or self.min_price or self.max_price)
        category = self.category and self.source == Source.WALK_SORT
        return bool(self.compares_words or self.tag_groups or category or price or self.availability)
