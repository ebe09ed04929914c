"""One budget of calls for all processes that use the same secret key.

The counter of the budget is passed in: this package does not know where it is stored. A process takes a portion of calls at a time, which
expires after PORTION_EXPIRY_SECONDS. If the process dies, only its portion is lost. Calls that cannot wait are made at once, and counted
afterwards.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from kit.log_throttling import log_failure

PORTION_SECONDS = 1.0
"""A portion is as many calls as the budget allows in this time, at least one."""

PORTION_EXPIRY_SECONDS = 5.0
"""Longer than PORTION_SECONDS, because at a low rate a process may need longer to make the calls of its portion."""

REPORT_SECONDS = 0.5
"""Calls that could not wait are counted together after this time."""

RETRY_SECONDS = 2.0
TIMEOUT_SECONDS = 3.0
log = structlog.get_logger("paystack")


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer of the counter: how many calls were granted, and if none, after how many seconds to ask again."""

    calls: int
    seconds: float = 0.0


class Counter(Protocol):
    """Counts the calls of all processes: a token bucket for each limit, which is changed atomically."""

    async def take(
        self, limit: int, calls: int, *, made: int, per_second: float, burst: float, pause_seconds: float
    ) -> Grant:
        """Subtract `made` calls, and then up to `calls` of those that are left, from the bucket of this limit.

        The bucket grows by `per_second` up to `burst`. `pause_seconds`: grant nothing to any process for this time.
        """
        ...


class SharedBudget:
    """What one process takes from the budget of one limit. `clock` returns seconds."""

    def __init__(
        self, counter: Counter, limit: int, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counter = counter
        self._limit = limit
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._portion = 0
        self._portion_expires_at = 0.0
        self._promised: deque[float] = deque()
        """One expiry time for each call that `acquire` has allowed and that is not made yet."""
        self._made = 0
        self._pause_seconds = 0.0
        self._reporting: asyncio.Task[None] | None = None

    def set_rate(self, per_second: float, burst: float) -> None:
        """Set the rate and the largest burst: Paystack has reported the limit that was assumed before, and the rate may be lower now."""
        self._per_second, self._burst = per_second, burst

    async def acquire(self) -> float:
        """Take a call out of the portion, or take a new portion. Return 0, or the seconds to wait before the next try.

        If the counter cannot be reached, background calls wait, because other processes may use the whole budget.
        """
        if self._portion < 1 or self._clock() >= self._portion_expires_at:
            grant = await self._take(max(1, int(self._per_second * PORTION_SECONDS)))
            if grant is None or grant.calls < 1:
                return RETRY_SECONDS if grant is None else max(0.01, grant.seconds)
            self._portion = grant.calls
            self._portion_expires_at = self._clock() + PORTION_EXPIRY_SECONDS
        self._portion -= 1
        self._promised.append(self._portion_expires_at)
        return 0.0

    def count(self) -> None:
        """Count a call that is being sent: one that `acquire` allowed, or one that could not wait."""
        while self._promised and self._promised[0] <= self._clock():
            self._promised.popleft()
        if self._promised:
            self._promised.popleft()
        else:
            self._made += 1
            self._report_soon()

    def pause(self, seconds: float) -> None:
        """Tell all processes that Paystack has refused a call because of its limit: background calls wait for `seconds`."""
        self._pause_seconds = max(self._pause_seconds, seconds)
        self._report_soon()

    async def close(self) -> None:
        """Count the calls that are not counted yet, if the counter can be reached."""
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
            await self._take(0)

    def _report_soon(self) -> None:
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._report())

    async def _report(self) -> None:
        seconds = REPORT_SECONDS
        while self._made or self._pause_seconds:
            await asyncio.sleep(seconds)
            seconds = REPORT_SECONDS if await self._take(0) is not None else RETRY_SECONDS

    async def _take(self, calls: int) -> Grant | None:
        """Ask the counter. Return None if it cannot be reached; then the calls that were made are counted later."""
        made, self._made = self._made, 0
        pause_seconds, self._pause_seconds = self._pause_seconds, 0.0
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._counter.take(
                    self._limit,
                    calls,
                    made=made,
                    per_second=self._per_second,
                    burst=self._burst,
                    pause_seconds=pause_seconds,
                )
        except Exception as error:
            # At most the calls of a minute: older ones do not matter for the limit any more.
            self._made = min(self._made + made, self._limit)
            self._pause_seconds = max(self._pause_seconds, pause_seconds)
            log_failure(log.warning, "budget of calls not available", error)
            return None
