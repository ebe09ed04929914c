"""The words of a search text, and what is known about them. Pure: no settings, no database."""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the search text. `matches` is approximately the number of products that have it.

    `query`: the tsquery that a product must match. `index_query`: the one that the index looks up; None if too many words begin with it.
    """

    word: str
    query: str
    index_query: str | None
    matches: int

    @property
    def is_wide(self) -> bool:
        """Return whether the index cannot look the word up, because too many words begin with it."""
        return self.index_query is None


@dataclass(frozen=True, slots=True)
class SearchedWords:
    """The words of a search text that products must have.

    `counted_products`: how many products are counted (lexeme_counts.py). `newest_number`: the number of the newest product.
    """

    terms: tuple[Term, ...]
    counted_products: int
    newest_number: int

    @property
    def query(self) -> str:
        """Return the tsquery of all words."""
        return " & ".join(term.query for term in self.terms)

    @property
    def index_query(self) -> str | None:
        """Return the tsquery of the words that the index looks up, or None if there are none."""
        return " & ".join(term.index_query for term in self.terms if term.index_query is not None) or None

    @property
    def expected_matches(self) -> float:
        """Return the number of products that the index is expected to find, if words are independent of each other."""
        return self.counted_products * prod(
            min(1.0, term.matches / max(self.counted_products, 1)) for term in self.terms if not term.is_wide
        )
