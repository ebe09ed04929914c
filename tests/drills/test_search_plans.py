"""Lists and searches of 1,000,000 products: no statement reads many pages or takes long."""

import pytest

from tests.fixtures.catalog import empty_tables
from tests.fixtures.environment import postgres_server
from tests.fixtures.search_plans import explain_all, page_of_largest_category
from tests.fixtures.seeded_catalog import fill_catalog

pytestmark = [pytest.mark.drill, pytest.mark.alone]
SIZE = 1_000_000
MAX_BUFFERS, MAX_ROWS, MAX_MILLISECONDS = 2000, 20_000, 50
MAX_CATEGORY_MILLISECONDS = 5


@pytest.mark.usefixtures("postgres")
async def test_list_products_when_there_are_1000000_then_200_queries_read_few_pages_and_take_50_ms() -> None:
    url = postgres_server.url("catalog")
    await empty_tables()
    await fill_catalog(SIZE)
    await explain_all(url)  # reads the indexes from the disk
    costs = await explain_all(url)
    assert len(costs) >= 200
    assert {query: cost for query, cost in costs.items() if cost.buffers > MAX_BUFFERS or cost.rows > MAX_ROWS} == {}
    assert {query: cost for query, cost in costs.items() if cost.milliseconds > MAX_MILLISECONDS} == {}
    for number in (1, 1000):
        assert (await page_of_largest_category(url, number)).milliseconds <= MAX_CATEGORY_MILLISECONDS, number
    await empty_tables()
