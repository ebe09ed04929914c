"""Choose how the products of a page are found: by how many products match each filter."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from services.catalog.products.filters import ResolvedFilter
from services.catalog.products.schemas import ProductSort
from services.catalog.products.shapes import MAX_EXPECTED_MATCHES, Shape, Source
from services.catalog.search_vectors import BLOCK_BITS

WINDOWS = {ProductSort.NEWEST: 4000, ProductSort.RELEVANCE: 4000, ProductSort.PRICE: 1000, ProductSort.PRICE_DESCENDING: 1000, ProductSort.NAME: 600}  # fmt: skip  # noqa: E501
"""How many products are read for a page. The newest are next to each other on the disk; in other sorts each is in another place."""

MANY_SHARE = 0.02
"""If at least this share of all products has the words, a page of the sort `newest` is found by walking along the index of the sort."""

MAX_MERGED_CATEGORIES = 150
MAX_NUMBER_BLOCKS = 8
MIN_RANKED = 700
"""At least about this number of newest matches is read and ranked. Rare matches are expensive: each is in another place of the disk."""

NEWEST_PAGE_MATCHES = 300
"""About how many matches are looked up for a page of the newest ones."""

Position = tuple[int] | tuple[int | str, int]
"""The keys of a cursor: `(number,)` for the sort `newest`, else `(sort key, number)`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A shape of statement with its parameters. `lowest_number`: the numbers of the products that are read begin here."""

    shape: Shape
    parameters: Mapping[str, object]
    lowest_number: int = 0


def choose(resolved: ResolvedFilter, position: Position | None, limit: int, *, found_too_many: bool = False) -> Plan:
    """Return the plan for the page after a position. `found_too_many`: a lookup has found more than MAX_INDEX_MATCHES."""
    given, words, category = resolved.given, resolved.words, resolved.category
    shape = Shape(
        source=Source.WALK_SORT,
        sort=resolved.given.effective_sort,
        limit=limit,
        window=WINDOWS[resolved.given.effective_sort],
        compares_words=words is not None,
        tag_groups=len(resolved.tags.groups) if resolved.tags else 0,
        category=category is not None,
        currency=given.currency is not None,
        min_price=given.min_price is not None,
        max_price=given.max_price is not None,
        availability=given.availability,
        has_cursor=position is not None,
    )
    parameters = _parameters(resolved, position)
    source = None if found_too_many else _cheapest_lookup(resolved)
    if source is not None:
        by_words = source == Source.LOOK_UP_WORDS_AND_TAGS and words is not None and words.index_query is not None
        index_has_all_words = by_words and words is not None and not any(term.is_wide for term in words.terms)
        compares_words = shape.compares_words and not index_has_all_words
        shape = replace(shape, source=source, looks_words_up=by_words, compares_words=compares_words)
        return Plan(shape, parameters)
    if words is not None and words.index_query is not None and _uses_newest(resolved):
        return _newest_with_words(resolved, shape, parameters, position)
    return Plan(replace(shape, source=_walk_source(resolved, shape)), parameters)


def _cheapest_lookup(resolved: ResolvedFilter) -> Source | None:
    """Return the source that finds the fewest products, if they are few."""
    words, expected = resolved.words, {}
    if words is not None and words.index_query is not None:
        expected[Source.LOOK_UP_WORDS_AND_TAGS] = words.expected_matches
    if resolved.tags is not None:
        tagged = expected.get(Source.LOOK_UP_WORDS_AND_TAGS, float("inf"))
        expected[Source.LOOK_UP_WORDS_AND_TAGS] = min(tagged, resolved.tags.matches)
    if resolved.category is not None:
        expected[Source.LOOK_UP_CATEGORY] = resolved.category.matches
    if resolved.price_matches is not None:
        expected[Source.LOOK_UP_PRICE] = resolved.price_matches
    best = min(expected, key=lambda source: expected[source], default=None)
    return best if best is not None and expected[best] <= MAX_EXPECTED_MATCHES else None


def _uses_newest(resolved: ResolvedFilter) -> bool:
    words = resolved.words
    if words is None or words.counted_products == 0 or words.expected_matches == 0:
        return False
    if resolved.given.effective_sort == ProductSort.RELEVANCE:
        return True
    return (
        resolved.given.effective_sort == ProductSort.NEWEST
        and words.expected_matches / words.counted_products < MANY_SHARE
    )


def _newest_with_words(
    resolved: ResolvedFilter, shape: Shape, parameters: dict[str, object], position: Position | None
) -> Plan:
    """Return the plan that looks the words up together with the block tokens of the newest products (search_vectors.py)."""
    words = resolved.words
    if words is None:
        raise ValueError("a search without words")
    newest, wanted = words.newest_number, MIN_RANKED
    if resolved.given.effective_sort == ProductSort.NEWEST:
        wanted = NEWEST_PAGE_MATCHES
        newest = newest if position is None else min(newest, position[-1] - 1)
    numbers = ceil(wanted * words.counted_products / words.expected_matches)
    bits = next((bits for bits in BLOCK_BITS if numbers >> bits < MAX_NUMBER_BLOCKS), BLOCK_BITS[-1])
    top = max(newest, 0) >> bits
    lowest = max(0, top - (numbers >> bits) - 1)
    block_tokens = " | ".join(f"'#{bits}:{number}'" for number in range(lowest, top + 1))
    parameters["index_query"] = f"({words.index_query}) & ({block_tokens})"
    index_has_all_words = not any(term.is_wide for term in words.terms)
    shape = replace(shape, source=Source.LOOK_UP_NEWEST, looks_words_up=True, compares_words=not index_has_all_words)
    return Plan(shape, parameters, lowest << bits)


def _walk_source(resolved: ResolvedFilter, shape: Shape) -> Source:
    category = resolved.category
    if category is None or resolved.given.effective_sort != ProductSort.NEWEST:
        return Source.WALK_SORT
    if len(category.ids) == 1:
        return Source.WALK_CATEGORY
    others = shape.compares_words or shape.tag_groups or shape.currency or shape.availability
    return Source.WALK_EACH_CATEGORY if len(category.ids) <= MAX_MERGED_CATEGORIES and not others else Source.WALK_SORT


def _parameters(resolved: ResolvedFilter, position: Position | None) -> dict[str, object]:
    given = resolved.given
    parameters: dict[str, object] = {"status": given.status.value}
    if resolved.words is not None:
        parameters |= {"query": resolved.words.query, "index_query": resolved.words.index_query}
    if resolved.tags is not None:
        parameters |= {f"tags_{number}": list(group) for number, group in enumerate(resolved.tags.groups)}
    if resolved.category is not None:
        parameters |= {"categories": list(resolved.category.ids), "category": resolved.category.ids[0]}
    parameters |= {"currency": given.currency, "min_price": given.min_price, "max_price": given.max_price}
    if position is not None:
        parameters |= {"after_key": position[0], "after_number": position[-1]}
    return parameters
