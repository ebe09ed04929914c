"""Sessions survive crashes of auth."""

from tests.fixtures.failpoints import Failpoints
from tests.fixtures.lost_refreshes import lose_refresh_responses
from tests.fixtures.stack_client import StackClient


async def test_refresh_when_auth_dies_before_it_answers_then_the_session_goes_on(
    shop: StackClient, failpoints: Failpoints
) -> None:
    await lose_refresh_responses(shop, failpoints, rounds=2)
