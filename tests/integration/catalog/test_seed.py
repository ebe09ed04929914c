"""`make seed` makes a shop whose stock and orders are right, and leaves what exists."""

import pytest
from sqlalchemy import text

from dev.process.program import NotStarted
from dev.seed.run import seed, total_rows
from services.catalog.db import sessions
from services.catalog.orders.numbers import parse_number
from tests.fixtures.catalog import stock_differences
from tests.fixtures.environment import postgres_server
from tests.fixtures.owners import owner_sessions

TABLES = ("categories", "tags", "products", "product_tags", "variants", "stock_levels", "stock_movements", "orders", "order_items", "deliveries", "order_payments")  # fmt: skip  # noqa: E501


async def counts() -> dict[str, int]:
    async with sessions() as session:
        return {table: (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() for table in TABLES}


async def test_seed_when_it_runs_twice_then_the_second_run_adds_only_what_is_missing() -> None:
    done: list[int] = []
    url = postgres_server.url("catalog")
    await seed(url, None, 100, done.append)
    assert sum(done) == total_rows(100)
    small = await counts()
    assert (small["products"], small["orders"], small["variants"]) == (100, 20, 110)
    assert all(small.values())
    await seed(url, None, 100, done.append)
    assert await counts() == small
    await seed(url, postgres_server.owner_url("catalog"), 150, done.append)
    assert (await counts())["products"] == 150
    assert await stock_differences() == []
    async with sessions() as session:
        numbers = (await session.execute(text("SELECT number FROM orders"))).scalars().all()
        wrong = "SELECT count(*) FROM products WHERE tag_ids <> ARRAY(SELECT tag_id FROM product_tags WHERE product_id = id ORDER BY position)"  # noqa: E501
        amounts = "SELECT count(*) FROM orders WHERE amount <> (SELECT sum(quantity * unit_price) FROM order_items WHERE order_id = id)"
        assert [(await session.execute(text(query))).scalar_one() for query in (wrong, amounts)] == [0, 0]
    assert [parse_number(number) for number in numbers] == list(numbers)


async def test_seed_when_a_table_has_a_column_that_it_does_not_fill_then_it_names_the_column() -> None:
    async with owner_sessions("catalog").begin() as session:
        await session.execute(text("ALTER TABLE products ADD COLUMN colour text NOT NULL"))
    try:
        with pytest.raises(NotStarted, match=r"products\.colour"):
            await seed(postgres_server.url("catalog"), None, 10, lambda _: None)
    finally:
        async with owner_sessions("catalog").begin() as session:
            await session.execute(text("ALTER TABLE products DROP COLUMN colour"))
