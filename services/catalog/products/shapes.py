"""The shapes of the statements that list products: what a statement depends on, except the values."""

from dataclasses import dataclass
from enum import StrEnum

from services.catalog.products.schemas import ProductSort
from services.catalog.statuses import Availability

FEW = 800
"""At most this many products are found in an index and sorted. For more, the products are read in the order of the index of the sort."""

MOST_FOUND = 2 * FEW
"""The estimates can be wrong: if an index finds more products than this, the search takes the other plan."""

FACETED = 1000
"""Facets are counted among at most this many of the newest matches."""

STOCK_WINDOW = 100
"""The availability, which is in other tables, is computed for at most this many products of a page."""

RANKED = 2000
"""If there are more matches, only the newest are ranked by relevance."""


class Source(StrEnum):
    """Where the products of a page come from."""

    SORT_INDEX = "sort index"
    CATEGORY_INDEX = "index of one category"
    CATEGORY_INDEXES = "indexes of several categories"
    WORDS_AND_TAGS = "products with these words and tags"
    NEWEST_WITH_WORDS = "newest products with these words and tags"
    CATEGORY = "products of a category"
    PRICE = "products in a price range"


FOUND = {Source.WORDS_AND_TAGS, Source.CATEGORY, Source.PRICE}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a statement depends on, except the values. `tag_groups`: how many of the tags are required.

    `words`: the words are compared with each product that is examined; `index_words`: the index looks words up.
    """

    source: Source
    sort: ProductSort
    window: int
    limit: int
    words: bool = False
    index_words: bool = False
    tag_groups: int = 0
    category: bool = False
    currency: bool = False
    min_price: bool = False
    max_price: bool = False
    availability: Availability | None = None
    after: bool = False

    @property
    def sorts_by_price(self) -> bool:
        return self.sort in {ProductSort.PRICE, ProductSort.PRICE_DESCENDING}

    @property
    def descending(self) -> bool:
        return self.sort not in {ProductSort.PRICE, ProductSort.NAME}

    @property
    def filters_while_walking(self) -> bool:
        """Return whether a product that is examined can be left out of the page."""
        price = not self.sorts_by_price and (self.currency or self.min_price or self.max_price)
        category = self.category and self.source == Source.SORT_INDEX
        return bool(self.words or self.tag_groups or category or price or self.availability)
