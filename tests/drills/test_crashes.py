"""Ten kills of each process during purchases of twenty buyers."""

import pytest

from dev.stack.stack import Stack
from tests.fixtures.crashes import PROCESSES, buy_while_killing
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("invariants")]


@pytest.mark.parametrize("process", PROCESSES)
async def test_paid_orders_when_a_process_is_killed_ten_times_are_delivered_once(
    shop: StackClient, stack: Stack, process: str
) -> None:
    await buy_while_killing(shop, stack, process, kills=10, buyers=20, least=40)
