"""A long outage of the mail server."""

import pytest

from dev.stack.stack import Stack
from tests.fixtures.mail_outage import register_during_outage
from tests.fixtures.stack_client import StackClient

pytestmark = pytest.mark.drill


async def test_mail_when_the_server_is_down_for_ten_minutes_arrives_once(shop: StackClient, stack: Stack) -> None:
    await register_during_outage(shop, stack, accounts=120, seconds=600)
