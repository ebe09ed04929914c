"""Delay the refusals of a limit address that has many requests at the same time.

A refusal takes little time. So clients that repeat refused requests immediately would use up the processor and delay all other requests.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from kit.http.rate_limit import TooManyRequests
from services.auth.errors import MailCodeRequired, TooBusy, TooManyFailedLogins

DELAY_SECONDS = 1.0
UNDELAYED_PER_ADDRESS = 10
"""The refusals of a limit address that has at most this many requests at the same time are not delayed."""

MAX_DELAYED = 250
"""The maximum number of refusals that are delayed at the same time, for all addresses together: a quarter of the requests that a process
works on (kit/http/request_limit.py). Further refusals are not delayed."""


class RefusalDelay:
    """Counts the logins and registrations that run, by limit address."""

    def __init__(self, seconds: float = DELAY_SECONDS, max_delayed: int = MAX_DELAYED) -> None:
        self._seconds = seconds
        self._max_delayed = max_delayed
        self._delayed = 0
        self._running = Counter[str]()

    @asynccontextmanager
    async def request_of(self, address: str) -> AsyncIterator[None]:
        """Count a request of a limit address during the `with` block. A refusal that the block raises may leave it a second later."""
        self._running[address] += 1
        try:
            yield
        except (TooBusy, TooManyFailedLogins, TooManyRequests, MailCodeRequired):
            if self._running[address] > UNDELAYED_PER_ADDRESS and self._delayed < self._max_delayed:
                await self._delay()
            raise
        finally:
            self._running[address] -= 1
            if not self._running[address]:
                del self._running[address]

    async def _delay(self) -> None:
        self._delayed += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self._delayed -= 1


async def _refusal_delay(request: Request) -> RefusalDelay:
    delay: RefusalDelay = request.state.refusal_delay
    return delay


CurrentRefusalDelay = Annotated[RefusalDelay, Depends(_refusal_delay)]
