"""Random purchases over catalog and payments end as the model says."""

from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.purchase_machine import run_purchase_machine


async def test_purchases_with_random_faults_end_as_the_model_says(shop: InProcessShop) -> None:
    assert await run_purchase_machine(shop, 15)  # the drill runs 500
