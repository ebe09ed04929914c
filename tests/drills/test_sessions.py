"""Fifty crashes of auth, each before it answers a refresh."""

import pytest

from tests.fixtures.failpoints import Failpoints
from tests.fixtures.lost_refreshes import lose_refresh_responses
from tests.fixtures.stack_client import StackClient

pytestmark = pytest.mark.drill


async def test_refresh_when_auth_dies_fifty_times_then_every_session_goes_on(
    shop: StackClient, failpoints: Failpoints
) -> None:
    await lose_refresh_responses(shop, failpoints, rounds=50)
