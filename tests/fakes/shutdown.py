"""Shutdowns whose waits take no time."""

import asyncio

from kit.worker.shutdown import Shutdown
from tests.fakes.paystack.rate_limits import Clock


class UntilIdle(Shutdown):
    """Requests the shutdown as soon as the job would wait: then nothing is due any more."""

    async def wait(self, seconds: float, wakeup: asyncio.Event | None = None) -> None:
        self.request()


class OnClock(Shutdown):
    """Waits move the clock of the test."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    async def wait(self, seconds: float, wakeup: asyncio.Event | None = None) -> None:
        self.clock.now += seconds
        await asyncio.sleep(0)
