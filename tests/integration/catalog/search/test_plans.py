"""What Postgres reads for a list of products does not grow with the catalog: 20,000 products here, 1,000,000 in `make drills`."""

import re
import unicodedata
from typing import Any

import asyncpg
import httpx
import pytest

from tests.fixtures.environment import postgres_server
from tests.fixtures.search_plans import explain_all
from tests.fixtures.seeded_catalog import fill_catalog

SIZE = 20_000
MAX_BUFFERS = 2000
MAX_ROWS = 5000
"""The drill with 1,000,000 products allows 20,000: a query could read all products of this test without exceeding that."""

COMPARED: list[dict[str, Any]] = [
    {"sort": "newest", "tag": ["wireless", "cotton"], "tag_match": "any"},
    {"sort": "price", "currency": "USD", "min_price": 50_000, "category": "seed-category-1"},
    {"sort": "-price", "currency": "NGN", "q": "wireless"},
    {"sort": "name", "q": "black cotton"},
    {"sort": "newest", "category": "seed-category-2", "tag": "the"},
    {"sort": "newest", "q": "coffee", "currency": "NGN"},
    {"sort": "newest", "availability": "out", "category": "seed-category-1"},
    {"sort": "relevance", "q": "brulee"},
]
EVERYTHING = """
SELECT products.id::text, products.name, products.description, products.price, products.currency, products.number,
    ARRAY(SELECT tags.name FROM product_tags JOIN tags ON tags.id = tag_id WHERE product_id = products.id) AS tags,
    ARRAY(
        WITH RECURSIVE above (id, slug, parent_id) AS (
            SELECT id, slug, parent_id FROM categories WHERE id = products.category_id
            UNION ALL SELECT categories.id, categories.slug, categories.parent_id
            FROM categories JOIN above ON categories.id = above.parent_id
        ) SELECT slug FROM above
    ) AS categories,
    (SELECT bool_or(variant_id IS NULL) OR sum(on_hand - reserved) > 0 FROM variants
        LEFT JOIN stock_levels ON variant_id = variants.id WHERE product_id = products.id) AS available
FROM products WHERE status = 'active'
"""


@pytest.fixture(autouse=True)
async def _seeded(_empty_tables: None) -> None:
    """There is only one test here, because the seed takes seconds."""
    await fill_catalog(SIZE)


async def test_list_products_when_200_queries_are_explained_then_none_reads_many_pages_or_rows(
    client: httpx.AsyncClient,
) -> None:
    costs = await explain_all(postgres_server.url("catalog"))
    assert len(costs) >= 200
    excessive = {query: cost for query, cost in costs.items() if cost.buffers > MAX_BUFFERS or cost.rows > MAX_ROWS}
    assert not excessive

    connection = await asyncpg.connect(postgres_server.url("catalog"), timeout=5)
    products = [dict(row) for row in await connection.fetch(EVERYTHING, timeout=60)]
    await connection.close(timeout=5)
    for params in COMPARED:
        found = await _all_pages(client, params)
        expected = [product["id"] for product in _sorted(products, params["sort"]) if _matches(product, params)]
        assert expected
        if params["sort"] == "relevance":
            found, expected = sorted(found), sorted(expected)
        assert found == expected, params


async def _all_pages(client: httpx.AsyncClient, params: dict[str, Any]) -> list[str]:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get("/catalog/products", params={**params, **cursor, "limit": 100})).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def _sorted(products: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    keys = {
        "price": lambda product: (product["price"], product["number"]),
        "-price": lambda product: (-product["price"], -product["number"]),
        "name": lambda product: (product["name"].lower()[:80].encode(), product["number"]),
    }
    return sorted(products, key=keys.get(sort, lambda product: -product["number"]))


def _matches(product: dict[str, Any], params: dict[str, Any]) -> bool:
    """Return whether a product matches, without the database. The words of these queries have no other inflected forms in the seed."""
    tags, asked = set(product["tags"]), params.get("tag", [])
    asked = {asked} if isinstance(asked, str) else set(asked)
    words = set(re.findall(r"\w+", _plain(f"{product['name']} {product['description']}")))
    *whole, beginning = params["q"].split() if "q" in params else [""]
    return (
        (not asked or (bool(asked & tags) if params.get("tag_match") == "any" else asked <= tags))
        and params.get("category") in {None, *product["categories"]}
        and params.get("currency") in {None, product["currency"]}
        and product["price"] >= params.get("min_price", 0)
        and ("availability" not in params or not product["available"])
        and set(whole) <= words
        and (not beginning or any(word.startswith(beginning) for word in words))
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text))).lower()
