"""Mail of the running stack."""

from dev.stack.stack import Stack
from tests.fixtures.mail_outage import register_during_outage
from tests.fixtures.stack_client import StackClient


async def test_mail_when_the_server_is_down_for_seconds_and_the_worker_is_killed_arrives_once(
    shop: StackClient, stack: Stack
) -> None:
    await register_during_outage(shop, stack, accounts=10, seconds=5)
