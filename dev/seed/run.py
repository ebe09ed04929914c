"""Run the seed: products first, and their variants, stock and tags on a second connection at the same time; then the orders."""

import asyncio
from collections.abc import Callable, Iterator

import asyncpg

from dev.process.program import NotStarted
from dev.seed import statements
from dev.seed.vocabulary import vocabulary

CHUNK = 5000
CONNECT_SECONDS, STATEMENT_SECONDS, VACUUM_SECONDS = 5, 120, 600
FILLED = {
    "categories": {"id", "slug", "name"},
    "tags": {"id", "name"},
    "products": {"id", "slug", "name", "price", "currency"},
    "product_tags": {"product_id", "tag_id"},
    "variants": {"id", "product_id"},
    "stock_levels": {"variant_id"},
    "stock_movements": {"variant_id", "kind", "quantity", "on_hand_change", "reserved_change", "actor"},
    "orders": {"id", "number", "customer_id", "amount", "currency", "expires_at"},
    "order_items": {"order_id", "variant_id", "product_id", "position", "name", "slug", "quantity", "unit_price"},
    "order_payments": {"reference", "order_id", "outcome"},
    "deliveries": {"order_id"},
}
"""The columns that need a value, and that the seed fills, by table."""

REQUIRED_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = ANY($1::text[]) AND is_nullable = 'NO' AND column_default IS NULL
AND is_identity = 'NO' AND is_generated = 'NEVER'
"""
SETTINGS = "SET statement_timeout = 0; SET synchronous_commit = off; SET work_mem = '128MB'"
# Postgres adds new rows to a GIN index in batches of this size (kB). A large batch is faster, and searches that read it are slower.
LARGE_PENDING_LIST = "ALTER INDEX ix_products_search SET (gin_pending_list_limit = 65536)"
NORMAL_PENDING_LIST = "ALTER INDEX ix_products_search SET (gin_pending_list_limit = 512)"
Advance = Callable[[int], None]


def chunks(last: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last number of each chunk of the numbers from 1 to `last`."""
    for first in range(1, last + 1, CHUNK):
        yield first, min(first + CHUNK - 1, last)


def order_count(size: int) -> int:
    """Return the number of orders for a number of products."""
    return min(statements.ORDERS, size // 5)


def category_count(size: int) -> int:
    """Return the number of categories for a number of products."""
    return min(statements.CATEGORIES, max(20, size // 20))


async def seed(url: str, owner_url: str | None, size: int, advance: Advance) -> None:
    """Insert `size` products with all that belongs to them, and `order_count(size)` orders. Rows that exist stay as they are.

    `advance` is called with each number of rows that are done, in total `total_rows(size)`. With the URL of the role that owns the tables,
    the index of the search is filled in larger steps, and the statistics of the tables are updated. Raises NotStarted.
    """
    connections = [await asyncpg.connect(url, timeout=CONNECT_SECONDS) for _ in range(2)]
    try:
        for connection in connections:
            await connection.execute(SETTINGS)
        await _check_columns(connections[0])
        await _execute(owner_url, LARGE_PENDING_LIST)
        await _insert_shop(connections, size, advance)
    finally:
        for connection in connections:
            await connection.close(timeout=CONNECT_SECONDS)
        await _execute(owner_url, NORMAL_PENDING_LIST)
    await _execute(owner_url, f"VACUUM (ANALYZE) {', '.join(FILLED)}")


def total_rows(size: int) -> int:
    """Return the number of rows that `seed` reports as done: products twice, because their parts follow, and orders."""
    return 2 * size + order_count(size)


async def _execute(owner_url: str | None, statement: str) -> None:
    """Execute a statement that only the owner of the tables may execute."""
    if owner_url is None:
        return
    connection = await asyncpg.connect(owner_url, timeout=CONNECT_SECONDS)
    try:
        await connection.execute(statement, timeout=VACUUM_SECONDS)
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


async def _check_columns(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(REQUIRED_COLUMNS, list(FILLED), timeout=STATEMENT_SECONDS)
    if not rows:
        raise NotStarted("the catalog database has no tables: run its migrations first")
    unknown = sorted(f"{table}.{column}" for table, column in rows if column not in FILLED[table])
    if unknown:
        raise NotStarted(
            f"the seed does not fill these columns: {', '.join(unknown)}. Add them to dev/seed/statements.py"
        )


async def _insert_shop(connections: list[asyncpg.Connection], size: int, advance: Advance) -> None:
    products, parts = connections
    words, categories = vocabulary(), category_count(size)
    tags = words[: statements.TAGS]
    await products.execute(statements.INSERT_CATEGORIES, 1, categories, timeout=STATEMENT_SECONDS)
    await products.execute(statements.INSERT_TAGS, 1, statements.TAGS, tags, timeout=STATEMENT_SECONDS)
    inserted: asyncio.Queue[tuple[int, int]] = asyncio.Queue()

    async def insert_products() -> None:
        for first, last in chunks(size):
            await products.execute(
                statements.INSERT_PRODUCTS, first, last, words, categories, tags, timeout=STATEMENT_SECONDS
            )
            inserted.put_nowait((first, last))
            advance(last - first + 1)

    async def insert_parts() -> None:
        for _ in chunks(size):
            first, last = await inserted.get()
            await parts.execute(statements.INSERT_VARIANTS, first, last, timeout=STATEMENT_SECONDS)
            await parts.execute(statements.INSERT_PRODUCT_TAGS, first, last, tags, timeout=STATEMENT_SECONDS)
            advance(last - first + 1)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(insert_products())
        tasks.create_task(insert_parts())
    for first, last in chunks(order_count(size)):
        await products.execute(statements.INSERT_ORDERS, first, last, size, timeout=STATEMENT_SECONDS)
        advance(last - first + 1)
