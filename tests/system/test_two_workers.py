"""Two workers on one database: one relays and one stands by, and whichever dies, the other goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from dev.process.supervisor import Supervisor
from dev.stack.stack import Stack
from tests.system.failpoints import metric
from tests.system.shop import Shop, until

TAKEOVER_SECONDS = 10.0
pytestmark = pytest.mark.usefixtures("invariants")


@pytest.fixture
async def twin(stack: Stack) -> AsyncIterator[tuple[Supervisor, str]]:
    part, url = stack.replica("payments-worker")
    await part.start()
    yield part, url
    await part.stop()


async def _relays(shop: Shop, url: str) -> bool:
    return await metric(shop.client, url, "outbox_relay_active") == 1.0


async def _watch(shop: Shop, first: str, second: str, seen: list[tuple[bool, bool]]) -> None:
    """Looks at one, the other, and the one again: where it relayed both times, it did so between."""
    while True:
        before, other, after = await _relays(shop, first), await _relays(shop, second), await _relays(shop, first)
        seen.append((before and after, other))
        await asyncio.sleep(0.01)


async def test_whichever_relay_is_killed_the_other_takes_over(
    shop: Shop, stack: Stack, twin: tuple[Supervisor, str]
) -> None:
    part, url = twin
    product = await shop.product()
    own = stack.url("payments-worker")
    assert (await _relays(shop, own), await _relays(shop, url)) == (True, False)
    seen: list[tuple[bool, bool]] = []
    watching = asyncio.create_task(_watch(shop, own, url, seen))
    try:
        for dying, other in ((own, url), (url, own)):
            begun = [await shop.begun(product) for _ in range(5)]
            pid = stack.pid("payments-worker") if dying == own else part.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            for _, _, payment in begun:
                await shop.pay(payment["reference"])

            async def taken_over(url: str = other) -> bool | None:
                return True if await _relays(shop, url) else None

            await until(taken_over, TAKEOVER_SECONDS)
            for buyer, order, _ in begun:
                await shop.delivered(buyer, order)
            if dying == own:
                await stack.restarted("payments-worker", pid)  # it stands by now, and is the next to take over
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert {(True, False), (False, True)} <= set(seen)
    assert (True, True) not in seen
