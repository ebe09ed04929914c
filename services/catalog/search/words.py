"""The words of a search text: how many products have each, the query for the index, and the nearest known word for an unknown one."""

import re
from collections.abc import Sequence

from sqlalchemy import Text, bindparam, text

from kit.db.sql_types import AnyRow
from kit.db.statements import Statement, fetch
from services.catalog.db import searching_engine
from services.catalog.errors import TooManyWords
from services.catalog.search.terms import SearchedWords, Term
from services.catalog.search_vectors import searched

MAX_WORDS = 5
MIN_PREFIX_LETTERS = 2
MIN_CORRECTED_LETTERS = 3

# The last word can be the beginning of a word. Its completions are the known words that begin with it; at most MAX_COMPLETIONS_READ are
# read. There are three cases:
# - If all completions were read, and at most MAX_PREFIX_MATCHES products have them, the index looks the beginning up.
# - If more products have them, and there are at most MAX_COMPLETIONS_LISTED completions, the index looks up the list of completions.
# - Otherwise the index does not look this word up.
MAX_PREFIX_MATCHES = 5000
MAX_COMPLETIONS_LISTED = 30
MAX_COMPLETIONS_READ = 300

# The words are split by Postgres, as those of the products are. For the last one, the words that begin with it are counted too.
WORDS = Statement(
    text(
        f"""
    WITH given AS (
        SELECT word, positions[cardinality(positions)] AS position, ts_lexize('english_stem', word) AS stems
        FROM unnest(to_tsvector('shop_words', {searched(":q")})) AS given (word, positions, weights)
    )
    SELECT given.word, given.stems[1] AS stem, given.stems = '{{}}' AS is_stop_word, progress.products AS counted_products,
        (SELECT max(number) FROM products) AS newest_number,
        coalesce((SELECT products FROM lexemes WHERE generation = progress.generation AND lexeme = given.word), 0) AS matches,
        coalesce((SELECT products FROM lexemes WHERE generation = progress.generation AND lexeme = stems[1]), 0) AS stem_matches,
        known.words AS completions, known.products AS completion_matches
    FROM given LEFT JOIN lexeme_progress AS progress ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(lexeme) AS words, coalesce(sum(products), 0)::bigint AS products FROM (
            SELECT lexeme, products FROM lexemes
            WHERE generation = progress.generation AND lexeme >= given.word AND lexeme < given.word || chr(1114111)
            LIMIT {MAX_COMPLETIONS_READ}
        ) AS first
    ) AS known ON length(given.word) >= {MIN_PREFIX_LETTERS} AND given.position = (SELECT max(position) FROM given)
    ORDER BY given.position
    """  # noqa: S608 -- only constants
    ).bindparams(bindparam("q", type_=Text))
)
NEAREST = Statement(
    text(
        """
    SELECT lexeme FROM lexemes JOIN lexeme_progress USING (generation) WHERE is_word AND lexeme % :word
    ORDER BY similarity(lexeme, :word) DESC, lexemes.products DESC, lexeme LIMIT 1
    """
    ).bindparams(bindparam("word", type_=Text))
)


async def analyse(q: str) -> SearchedWords:
    """Return the words of a search text, without stop words such as `the` unless there are no others. Raises TooManyWords."""
    rows: Sequence[AnyRow] = await fetch(searching_engine, WORDS, {"q": _without_controls(q)})
    if not all(row.is_stop_word for row in rows):
        rows = [row for row in rows if not row.is_stop_word]
    if len(rows) > MAX_WORDS:
        raise TooManyWords
    if not rows:
        return SearchedWords((), 0, 0)
    return SearchedWords(tuple(_term(row) for row in rows), rows[0].counted_products or 0, rows[0].newest_number or 0)


def _term(row: AnyRow) -> Term:
    exact = [_quoted(row.word)]
    if row.stem is not None and row.stem != row.word:
        exact.append(_quoted(row.stem))
    matches = max(row.matches, row.stem_matches, row.completion_matches or 0)
    if row.completion_matches is None:
        query = _any_of(exact)
        return Term(row.word, query, query, matches)
    query = _any_of([f"{exact[0]}:*", *exact[1:]])
    completions = row.completions or []
    if row.completion_matches <= MAX_PREFIX_MATCHES and len(completions) < MAX_COMPLETIONS_READ:
        return Term(row.word, query, query, matches)
    listed = _any_of([*exact, *map(_quoted, completions)]) if len(completions) <= MAX_COMPLETIONS_LISTED else None
    return Term(row.word, query, listed, matches)


def _any_of(queries: Sequence[str]) -> str:
    return f"({' | '.join(queries)})"


async def correct(words: SearchedWords) -> str | None:
    """Return the search text with the nearest known word in place of each unknown one, or None if there is nothing to correct."""
    corrected = []
    for term in words.terms:
        nearest: Sequence[AnyRow] = ()
        if term.matches == 0 and len(term.word) >= MIN_CORRECTED_LETTERS:
            nearest = await fetch(searching_engine, NEAREST, {"word": term.word})
        corrected.append(nearest[0].lexeme if nearest else term.word)
    return " ".join(corrected) if corrected != [term.word for term in words.terms] else None


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _without_controls(q: str) -> str:
    return re.sub("[\x00-\x1f\x7f\ud800-\udfff]", " ", q)
