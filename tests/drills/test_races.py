"""Fifty rushes for the last items of a product."""

import pytest

from tests.fixtures.order_rush import order_at_once
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("invariants")]


@pytest.mark.parametrize(("stock", "customers"), [(10, 400), (1, 100)])
async def test_fifty_rushes_sell_exactly_the_stock(shop: StackClient, stock: int, customers: int) -> None:
    for _ in range(50):
        await order_at_once(shop, await shop.product(stock=stock), stock=stock, customers=customers)
