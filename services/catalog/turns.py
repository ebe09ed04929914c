"""Requests that place orders or change categories wait here, and not for a connection of the pool or for a lock.

One request of each account runs at a time, so an account with many requests takes only one place, and the requests of other accounts do not
wait behind them. At most `places` requests run at a time. This is less than the number of connections, so the pool has connections left for
other requests, and no order waits long for the lock of a product that many want. Every wait is bounded, and so is the number of requests
that wait or run.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from kit.errors import Unavailable
from kit.http.rate_limit import TooManyRequests

MAX_REQUESTS = 750
"""Below the number of requests that a process works on (kit/http/request_limit.py)."""

MAX_PER_ACCOUNT = 200
WAIT_SECONDS = 8.0
"""With the six seconds of a transaction whose database does not respond (kit/db/engine.py), a request is answered within 15 seconds."""


@dataclass(slots=True)
class _Account:
    """The requests of one account: those that wait, and the one that runs."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    requests: int = 0


class TurnQueue:
    """Lets requests take turns, first in, first out."""

    def __init__(self, places: int, *, seconds: float = WAIT_SECONDS) -> None:
        self._places = asyncio.Semaphore(places)
        self._seconds = seconds
        self._accounts: dict[str, _Account] = {}
        self._requests = 0

    @asynccontextmanager
    async def turn(self, account: str) -> AsyncIterator[None]:
        """Wait for a turn, and keep it during the block.

        Raises TooManyRequests if many requests of this account wait or run, and Unavailable if many of all accounts do, or after `seconds`.
        """
        own = self._accounts.get(account) or _Account()
        if own.requests >= MAX_PER_ACCOUNT:
            raise TooManyRequests(1)
        if self._requests >= MAX_REQUESTS:
            raise Unavailable
        self._accounts[account] = own
        own.requests += 1
        self._requests += 1
        try:
            async with AsyncExitStack() as held:
                await self._wait(own, held)
                yield
        finally:
            own.requests -= 1
            self._requests -= 1
            if not own.requests:
                del self._accounts[account]

    async def _wait(self, own: _Account, held: AsyncExitStack) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await held.enter_async_context(own.lock)
                await held.enter_async_context(self._places)
        except TimeoutError as error:
            raise Unavailable from error
