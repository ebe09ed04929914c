"""Two hundred rounds of each race for one order."""

import random

import pytest

from tests.fixtures.in_process_shop import InProcessShop
from tests.fixtures.purchase_races import OUTCOMES, Race

pytestmark = pytest.mark.drill


@pytest.mark.parametrize("race", OUTCOMES)
async def test_operations_that_race_two_hundred_times_end_with_one_winner(
    in_process_shop: InProcessShop, race: Race
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    assert set(await race(in_process_shop, random.Random(seed), 200)) == OUTCOMES[race]
