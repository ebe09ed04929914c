"""Waits that end early because of a wake-up or the shutdown."""

import asyncio

from kit.worker.shutdown import Shutdown


async def test_a_wait_ends_with_the_wakeup_the_shutdown_or_the_time() -> None:
    shutdown, wakeup = Shutdown(), asyncio.Event()
    async with asyncio.timeout(30):
        await shutdown.wait(0.01)
        wakeup.set()
        await shutdown.wait(60, wakeup)
        assert not wakeup.is_set()
        asyncio.get_running_loop().call_later(0.01, shutdown.request)
        await shutdown.wait(60, wakeup)
        assert shutdown.requested
        await shutdown.wait(60)


async def test_a_wakeup_before_the_wait_is_not_lost() -> None:
    shutdown, wakeup = Shutdown(), asyncio.Event()
    wakeup.set()
    async with asyncio.timeout(1):
        await shutdown.wait(60, wakeup)
