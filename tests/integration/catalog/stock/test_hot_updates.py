"""Changes of stock levels write no index entries, so a product that sells well does not make its table and index grow."""

import httpx
from sqlalchemy import text

from dev.chaos.client import until
from services.catalog.db import sessions
from tests.factories.catalog import Headers, create_order, create_product
from tests.factories.events import PRICE, payment_succeeded
from tests.fixtures.catalog import handle_events

ORDERS = 100
UPDATES = text(
    "SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = 'stock_levels'"
)


async def updates() -> tuple[int, int]:
    """Return how many updates of stock levels Postgres has counted, and how many of them were HOT."""
    async with sessions() as session:
        row = (await session.execute(UPDATES)).one()
        return row.updates, row.hot


async def test_stock_levels_when_orders_are_placed_and_paid_then_95_percent_of_the_updates_are_hot(
    client: httpx.AsyncClient, customer: Headers
) -> None:
    cups = [await create_product(ORDERS) for _ in range(5)]
    before, hot_before = await updates()
    for number in range(ORDERS):
        order = await create_order(client, customer, {cups[number % 5]: 1})
        await handle_events(payment_succeeded(order, f"r-{order}", PRICE))

    async def counted() -> tuple[int, int] | None:
        now, hot = await updates()  # each connection reports its updates after up to ten seconds
        return (now - before, hot - hot_before) if now - before >= 2 * ORDERS else None

    total, hot = await until(counted, 30)
    assert hot >= 0.95 * total


async def test_stock_levels_when_defined_then_the_key_is_the_only_index_and_pages_keep_free_space() -> None:
    async with sessions() as session:
        indexes = await session.execute(text("SELECT indexname FROM pg_indexes WHERE tablename = 'stock_levels'"))
        options = await session.execute(text("SELECT reloptions FROM pg_class WHERE relname = 'stock_levels'"))
        assert (indexes.scalars().all(), options.scalar_one()) == (["pk_stock_levels"], ["fillfactor=70"])
