"""Two workers on one database: one relays, the other stands by and takes over when the first is killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dev.process.supervisor import Supervisor
from dev.stack.stack import Stack
from tests.fixtures.failpoints import metric
from tests.fixtures.stack_client import StackClient, until

TAKEOVER_SECONDS = 10.0
pytestmark = pytest.mark.usefixtures("invariants")


@pytest.fixture
async def second_worker(stack: Stack) -> AsyncIterator[tuple[Supervisor, str]]:
    replica, url = stack.replica("payments-worker")
    await replica.start()
    yield replica, url
    await replica.stop()


async def _relays(shop: StackClient, url: str) -> bool:
    return await metric(shop.client, url, "outbox_relay_active") == 1.0


async def _record_relays(shop: StackClient, first: str, second: str, seen: list[tuple[bool, bool]]) -> None:
    """Record whether each worker relays. The first is asked before and after the second: it relays if both answers say so."""
    while True:
        before, other, after = await _relays(shop, first), await _relays(shop, second), await _relays(shop, first)
        seen.append((before and after, other))
        await asyncio.sleep(0.01)


@asynccontextmanager
async def killed_worker(stack: Stack, replica: Supervisor, *, is_replica: bool) -> AsyncIterator[None]:
    """Kill a worker, and keep it from restarting before the other has taken over. Afterwards the stack's own worker starts again."""
    pid = replica.pid if is_replica else stack.pid("payments-worker")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    if is_replica:
        await replica.stop()
        yield
        return
    await stack.stop("payments-worker")
    try:
        yield
    finally:
        await stack.start("payments-worker")


async def test_relay_when_killed_is_replaced_by_the_other_worker(
    shop: StackClient, stack: Stack, second_worker: tuple[Supervisor, str]
) -> None:
    replica, url = second_worker
    product = await shop.product()
    own = stack.url("payments-worker")
    assert (await _relays(shop, own), await _relays(shop, url)) == (True, False)
    seen: list[tuple[bool, bool]] = []
    watching = asyncio.create_task(_record_relays(shop, own, url, seen))
    try:
        for killed, other in ((own, url), (url, own)):
            begun = [await shop.begin_purchase(product) for _ in range(5)]
            async with killed_worker(stack, replica, is_replica=killed == url):
                for _, _, payment in begun:
                    await shop.pay(payment["reference"])

                async def taken_over(url: str = other) -> bool | None:
                    return True if await _relays(shop, url) else None

                await until(taken_over, TAKEOVER_SECONDS)
                for buyer, order, _ in begun:
                    await shop.wait_delivered(buyer, order)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert {(True, False), (False, True)} <= set(seen)
    assert (True, True) not in seen
