"""The SQL expressions of the columns `search` of products and orders. search/ and orders/filters.py query them."""

WORD_SEPARATORS = "/.@_-<>&"
"""These characters are replaced by spaces before indexing. Postgres would index `wireless/mouse` or `v2.0` as one path or host name."""

_MARKS = "[\\u0300-\\u036f\\u0640\\u064b-\\u065f\\u0670]"
"""Accents, the marks below letters of Yoruba and Igbo, and the vowel marks of Arabic, as Unicode's decomposition separates them."""

BLOCK_BITS = (12, 14, 16, 18, 20)
_BLOCK_TOKENS = ", ".join(f"'#{bits}:' || (number >> {bits})" for bits in BLOCK_BITS)
"""A number block has 4,096 (2 to the power of 12), 16,384, … products with consecutive numbers. Each product has the block tokens of its
number blocks, such as `#12:7` for the numbers from 7 * 4,096. A search for a word and the newest block tokens finds the newest products
with the word in the index."""


def searched(text: str) -> str:
    """Return the SQL expression that prepares a text for the search: Unicode's normal forms, accents and separators do not matter."""
    plain = f"normalize(regexp_replace(normalize({text}, NFKD), '{_MARKS}', '', 'g'), NFC)"
    return f"translate({plain}, '{WORD_SEPARATORS}', '{' ' * len(WORD_SEPARATORS)}')"


# Each word and its English stem, so that a search finds beginnings of words and inflected words. The weights: words of the name, words of
# the description, stems of the name, stems of the description.
PRODUCT_SEARCH_VECTOR = (
    f"setweight(to_tsvector('shop_words', {searched('name')}), 'A')"
    f" || setweight(to_tsvector('shop_words', {searched('description')}), 'B')"
    f" || setweight(to_tsvector('shop_stems', {searched('name')}), 'C')"
    f" || setweight(to_tsvector('shop_stems', {searched('description')}), 'D')"
    f" || array_to_tsvector(ARRAY[{_BLOCK_TOKENS}])"
)
_NUMBER_AND_CUSTOMER = "number || ' ' || coalesce(customer_name, '') || ' ' || coalesce(customer_email, '')"
ORDER_SEARCH_VECTOR = (
    f"to_tsvector('simple', translate({_NUMBER_AND_CUSTOMER}, '{WORD_SEPARATORS}', '{' ' * len(WORD_SEPARATORS)}'))"
)
