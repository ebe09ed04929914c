"""Requests whose database connection is cut during COMMIT, so that nobody knows whether it was committed. A retry has one effect."""

import pytest

from dev.stack.stack import Stack
from tests.fixtures.commit_trials import run_trials
from tests.fixtures.stack_client import StackClient

pytestmark = pytest.mark.usefixtures("invariants")


async def test_requests_when_the_connection_is_cut_during_commit_have_one_effect(
    shop: StackClient, stack: Stack
) -> None:
    await run_trials(shop, stack, 30)
