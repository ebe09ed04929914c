"""Two hundred requests whose database connection is cut during COMMIT."""

import pytest

from dev.stack.stack import Stack
from tests.fixtures.commit_trials import run_trials
from tests.fixtures.stack_client import StackClient

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("invariants")]


async def test_two_hundred_requests_when_the_connection_is_cut_during_commit_have_one_effect(
    shop: StackClient, stack: Stack
) -> None:
    await run_trials(shop, stack, 200)
