"""Operations on one order that exclude each other: one of them wins, both outcomes occur, and all money is accounted for."""

import random

import pytest

from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.purchase_races import (
    OUTCOMES,
    Race,
    race_cancellation_and_payment,
    race_expiry_and_payment,
    race_refund_and_lost_dispute,
)


@pytest.mark.parametrize("race", [race_expiry_and_payment, race_cancellation_and_payment, race_refund_and_lost_dispute])
async def test_operations_that_race_for_an_order_end_with_one_winner(shop: InProcessShop, race: Race) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    assert set(await race(shop, random.Random(seed), 24)) == OUTCOMES[race]
