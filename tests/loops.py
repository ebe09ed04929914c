"""A worker's loops, alive for the length of a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from kit.worker import Life, Loop
from kit.worker import _keep as keep


@asynccontextmanager
async def living(*loops: Loop) -> AsyncIterator[Life]:
    """The loops, kept as a worker keeps them; afterwards they end by themselves."""
    life = Life()
    tasks = [asyncio.create_task(keep(str(number), loop, life)) for number, loop in enumerate(loops)]
    try:
        yield life
    finally:
        life.end()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 -- what happens in a server rings no bell here
            await asyncio.sleep(0.02)
