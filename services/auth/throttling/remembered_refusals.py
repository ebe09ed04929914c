"""Refusals that this process remembers, so that repeated requests need neither the database nor a place in the queue.

Without them, one address with many connections could occupy all connections to the database.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

MAX_REFUSALS = 10_000


class RememberedRefusals:
    """The times until which requests are refused, by key. At most `size` keys are kept: those that were refused last.

    A login that succeeds in another process can end a limit earlier; this process still refuses until the time that it remembers.
    """

    def __init__(self, size: int = MAX_REFUSALS, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def add(self, key: bytes, seconds: float) -> None:
        """Remember that requests with this key are refused for this number of seconds from now on. Replaces an earlier refusal."""
        self._ends.pop(key, None)
        self._ends[key] = self._clock() + seconds
        if len(self._ends) > self._size:
            self._ends.popitem(last=False)

    def seconds_left(self, key: bytes) -> float:
        """Return for how many more seconds requests with this key are refused; 0 if they are not."""
        seconds = self._ends.get(key, 0.0) - self._clock()
        if seconds > 0:
            return seconds
        self.remove(key)
        return 0.0

    def remove(self, key: bytes) -> None:
        """Remove a refusal, because its limit has changed."""
        self._ends.pop(key, None)

    def clear(self) -> None:
        """Remove all refusals."""
        self._ends.clear()


async def _remembered_refusals(request: Request) -> RememberedRefusals:
    refusals: RememberedRefusals = request.state.remembered_refusals
    return refusals


CurrentRefusals = Annotated[RememberedRefusals, Depends(_remembered_refusals)]
