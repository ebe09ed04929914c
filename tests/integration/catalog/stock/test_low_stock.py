"""The worker measures how many variants have low stock or none."""

from prometheus_client import REGISTRY

from services.catalog.db import sessions
from services.catalog.stock import low_stock
from tests.factories.catalog import create_product


async def test_measure_when_products_are_low_or_out_then_they_are_counted() -> None:
    for stock in (6, 5, 0, None):
        await create_product(stock)
    async with sessions() as session:
        await low_stock.measure(session)
    assert REGISTRY.get_sample_value("catalog_variants_low_stock") == 2
