"""Lists, searches and single products of catalog, compared with the same SQL on asyncpg (products_app.py) and with a peer."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import asyncpg
import httpx

from bench.load import Target
from bench.processes import running
from bench.products_peer import run_products_peer
from bench.routes import MeasuredRoute
from dev.process import ports
from dev.stack.stack import Stack

ROWS = 20_000
QUERY = "enamel kettle"
"""One product in fifty has both words."""

CONNECTIONS = 32
PRODUCT_ID = UUID("a87ff679-a2f3-e71d-9181-a67b7542122c")
"""The MD5 of `4`: the fourth product."""

FILL = """
WITH words AS (
    SELECT ARRAY['enamel', 'copper', 'glass', 'steel', 'wooden'] AS first, ARRAY['kettle', 'bowl', 'pan', 'cup', 'jug', 'lid', 'tray',
        'plate', 'spoon', 'jar'] AS second
), added AS (
    INSERT INTO products (id, slug, name, description, price, currency, media, created_at)
    SELECT md5(n::text)::uuid, 'bench-' || n, first[n % 5 + 1] || ' ' || second[n / 5 % 10 + 1] || ' ' || n,
        'Made to last, and easy to clean. Number ' || n || ' of a series.', 1000 + n % 500 * 100, 'NGN',
        jsonb_build_array(jsonb_build_object('url', 'https://cdn.example.com/' || n || '.jpg', 'alt', 'The front')),
        now() - n * interval '1 minute'
    FROM generate_series(1, $1::int) AS n, words
    RETURNING id
), variant AS (
    INSERT INTO variants (id, product_id) SELECT id, id FROM added RETURNING id
), tag AS (
    INSERT INTO tags (id, name) SELECT gen_random_uuid(), 'bench-' || n FROM generate_series(1, 20) AS n RETURNING id
), tagged AS (
    INSERT INTO product_tags (product_id, tag_id) SELECT added.id, tag.id FROM added, tag WHERE hashtext(added.id::text || tag.id) % 10 = 0
)
INSERT INTO stock_levels (variant_id, on_hand) SELECT id, 100 FROM variant
"""

# As catalog's worker counts them. It finds nothing to do afterwards.
COUNT_WORDS = """
WITH progress AS (
    INSERT INTO lexeme_progress (id, counted_to, products) SELECT 1, max(number), count(*) FROM products
    ON CONFLICT (id) DO UPDATE SET counted_to = excluded.counted_to, products = excluded.products RETURNING generation
)
INSERT INTO lexemes (generation, lexeme, products, is_word)
SELECT generation, word, ndoc, true FROM progress, ts_stat('SELECT search FROM products') WHERE word NOT LIKE '#%'
ON CONFLICT (generation, lexeme) DO UPDATE SET products = excluded.products
"""


@asynccontextmanager
async def run_servers(stack: Stack, python: Path | None) -> AsyncIterator[dict[str, list[MeasuredRoute]]]:
    """Fill catalog's tables, and yield the routes by kind: catalog's, the same SQL on asyncpg, and the peer's if `python` has it."""
    await fill(stack.env["CATALOG_MIGRATION_DATABASE_URL"])
    own = urlsplit(stack.env["CATALOG_URL"]).port
    assert own is not None
    search = urlencode({"q": QUERY, "sort": "newest"})
    product = f"/catalog/products/{PRODUCT_ID}"
    async with AsyncExitStack() as running_servers:
        limit = await running_servers.enter_async_context(_limit(stack))
        routes = {
            "list": [_route("list of products", own, "/catalog/products"), _route("list on asyncpg", limit, "/list")],
            "search": [
                _route("search for products", own, f"/catalog/products?{search}"),
                _route("search on asyncpg", limit, "/search"),
            ],
            "product": [_route("one product", own, product), _route("one product on asyncpg", limit, "/product")],
        }
        if python is not None:
            peer_url = stack.env["CATALOG_DATABASE_URL"]
            peer = await running_servers.enter_async_context(run_products_peer(python, peer_url))
            routes["list"].append(_route("list, Django REST framework", peer, "/products"))
            routes["search"].append(_route("search, Django REST framework", peer, f"/products?{search}"))
            routes["product"].append(_route("one product, Django REST framework", peer, f"/products/{PRODUCT_ID}"))
        condition = f"If-None-Match: {await _etag(stack.env['CATALOG_URL'] + product)}\r\n"
        # As many connections as the open route, with which it is compared.
        routes["unchanged"] = [MeasuredRoute("unchanged product (304)", Target(own, product), headers=condition)]
        yield routes


async def fill(url: str) -> None:
    """Insert ROWS products with their stock and tags."""
    database = await asyncpg.connect(url, timeout=5)
    try:
        async with database.transaction():
            await database.execute(FILL, ROWS, timeout=120)
            await database.execute(COUNT_WORDS, timeout=120)
        for table in ("products", "variants", "stock_levels", "product_tags", "tags", "lexemes"):
            await database.execute(f"VACUUM (ANALYZE) {table}", timeout=120)
    finally:
        await database.close(timeout=5)


def _route(name: str, port: int, path: str) -> MeasuredRoute:
    return MeasuredRoute(name, Target(port, path, CONNECTIONS))


@asynccontextmanager
async def _limit(stack: Stack) -> AsyncIterator[int]:
    (port,) = ports.reserve_free(1)
    environment = {**stack.service_env("catalog"), "BENCH_PORT": str(port)}
    async with running("same SQL on asyncpg", [sys.executable, "-m", "bench.products_app"], environment, port):
        yield port
    ports.release([port])


async def _etag(url: str) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        return str((await client.get(url)).raise_for_status().headers["etag"])
