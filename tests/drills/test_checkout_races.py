"""Two hundred payments at the end of their checkout or transfer account: delivered or refunded, never both, never neither."""

import random
from collections import Counter

import pytest

from tests.fixtures.checkout_races import SESSION_SECONDS, race_rounds
from tests.fixtures.session_timeout import session_timeout
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.alone, pytest.mark.usefixtures("invariants")]
AT_ONCE, GROUPS = 40, 5


async def test_two_hundred_payments_at_the_end_of_their_checkout_are_delivered_or_refunded(shop: StackClient) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    seeded, outcomes = random.Random(seed), Counter[str]()
    async with session_timeout(shop, SESSION_SECONDS):
        for _ in range(GROUPS):
            outcomes += await race_rounds(shop, seeded, AT_ONCE)
    print(outcomes)
    assert outcomes.total() == AT_ONCE * GROUPS
    assert set(outcomes) == {"delivered", "refunded", "unpaid"}
