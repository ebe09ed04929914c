"""A worker's loops, alive for the length of a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from kit.worker.runner import Job, keep_running
from kit.worker.shutdown import Shutdown


@asynccontextmanager
async def living(*loops: Job) -> AsyncIterator[Shutdown]:
    """The loops, kept as a worker keeps them; afterwards they end by themselves."""
    shutdown = Shutdown()
    tasks = [asyncio.create_task(keep_running(str(number), loop, shutdown)) for number, loop in enumerate(loops)]
    try:
        yield shutdown
    finally:
        shutdown.request()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 -- what happens in a server rings no bell here
            await asyncio.sleep(0.02)
