"""Five hundred random purchases over catalog and payments."""

import pytest
from hypothesis import Phase

from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.purchase_machine import ORDER_STATUSES, REQUESTERS, run_purchase_machine

pytestmark = pytest.mark.drill


async def test_five_hundred_purchases_with_random_faults_end_in_every_state(in_process_shop: InProcessShop) -> None:
    assert await run_purchase_machine(in_process_shop, 500, Phase.shrink) >= {
        *ORDER_STATUSES,
        *(f"refund by {who}" for who in REQUESTERS),
    }
