"""Paystack's rate limit: background calls wait, so that Paystack does not reject the calls for which a payer waits.

Documented limits ("Rate limits"): 100 calls in 60 seconds in test mode; in live mode 600, and 3,000 for verify. Responses carry
`x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds); these override the documented limits.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client import Gauge

from kit.worker.shutdown import Shutdown
from services.payments.mode import Mode
from services.payments.paystack.circuit_breaker import CircuitBreaker
from services.payments.paystack.shared_budget import Counter, SharedBudget

Bucket = Literal["verify", "charge", "other_calls"]
"""Groups of calls for which Paystack may have separate limits. `other_calls`: all that do not verify, initialize or charge."""

BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
DOCUMENTED_LIMITS = {Mode.TEST: 100, Mode.LIVE: 600}
BACKGROUND_SHARE, RESERVED_SHARE = 0.75, 0.2
"""Background calls are paced to at most 75 % of the rate limit. They also stop when Paystack reports that only 20 % of it remains: these
20 % are reserved for checkout and for verifications that a client requests."""

WINDOW_SECONDS = 60.0
BURST_SECONDS = 5.0
"""The largest burst: the unused calls of this many seconds can be made at once."""

MAX_SLEEP_SECONDS = 30.0
"""A waiting call checks the limit again after at most this time, because the result of another call may have changed it."""

MAX_SHARED_BUDGETS = 100
"""Paystack documents three limits. If it announces more than this number of different ones, the further ones are not shared."""

MAX_HEADER_VALUE = 1_000_000
MAX_RESET_SECONDS = 600

calls_per_minute = Gauge(
    "paystack_calls_per_minute",
    "Background calls that may be made per minute",
    ["bucket"],
    multiprocess_mode="livemin",
)


def bucket_of(path: str) -> Bucket:
    """Return the bucket that a call counts against."""
    if path.startswith("/transaction/verify/"):
        return "verify"
    return (
        "charge" if path.startswith(("/transaction/initialize", "/transaction/charge_authorization")) else "other_calls"
    )


@dataclass(slots=True)
class Allowance:
    """The background calls that one limit allows. With `shared`, all processes share these calls, and `tokens` is not used.

    `tokens`: number of calls that may be made at the time `counted_at`. It grows with time, and each call takes one token. It may be
    negative, because calls that cannot wait take a token too. `reported`: the limit comes from a response, not from the documentation.
    `remaining`, `resets_at`: what the latest response reported about the current window.
    """

    limit: int
    reported: bool
    per_second: float
    tokens: float
    counted_at: float
    shared: SharedBudget | None = None
    remaining: int | None = None
    resets_at: float = 0.0
    waiting_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """The background call that is next holds this lock while it waits for a token. The others wait for the lock, in order of arrival."""

    @property
    def reserve(self) -> int:
        """The number of calls that background jobs must leave unused."""
        return int(self.limit * RESERVED_SHARE)

    @property
    def burst(self) -> float:
        """The largest number of calls that can be made at once."""
        return max(1.0, self.per_second * BURST_SECONDS)

    def seconds_until_free(self, now: float) -> float:
        """Return the seconds until a background call may be made; 0 if it may be made now."""
        self.tokens = min(self.burst, self.tokens + (now - self.counted_at) * self.per_second)
        self.counted_at = now
        if self.remaining is not None and now >= self.resets_at:
            self.remaining = None
        if self.remaining is not None and self.remaining <= self.reserve:
            return self.resets_at - now
        if self.shared is not None:
            return 0.0
        # Slightly less than one token counts as one, because of rounding errors.
        return 0.0 if self.tokens > 1 - 1e-6 else (1 - self.tokens) / self.per_second

    def take(self) -> None:
        # Older calls than those of one window do not matter for Paystack's limit.
        self.tokens = max(self.tokens - 1, -WINDOW_SECONDS * self.per_second)
        if self.shared is not None:
            self.shared.count()
        if self.remaining is not None:
            self.remaining -= 1


class RateLimit:
    """The rate limit of one client. The transport counts every call; background jobs wait with `acquire` before they call.

    `limit`: Paystack's limit per minute, until a response reports another one. `budget`: the configured number of background calls per
    minute under each limit; None means BACKGROUND_SHARE of the limit. As soon as Paystack has reported a limit, a larger budget is reduced
    to BACKGROUND_SHARE of that limit. `counter`: counts the calls of all processes; without it, only those of this process are counted.
    """

    def __init__(
        self,
        limit: int,
        budget: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        counter: Counter | None = None,
    ) -> None:
        self._counter = counter
        self._shared_budgets: dict[int, SharedBudget] = {}
        self.circuit_breaker = CircuitBreaker(clock)
        self._clock = clock
        self._budget = budget
        assumed = self._allowance(limit, reported=False)
        self._allowances: dict[Bucket, Allowance] = dict.fromkeys(BUCKETS, assumed)
        for bucket in BUCKETS:
            calls_per_minute.labels(bucket).set(self.per_minute(bucket))

    def per_minute(self, bucket: Bucket) -> float:
        """Return the average number of background calls that may be made per minute."""
        return self._allowances[bucket].per_second * WINDOW_SECONDS

    async def acquire(self, bucket: Bucket, shutdown: Shutdown) -> bool:
        """Wait until a background call may be made. Return False if shutdown was requested first.

        Does not count the call: the transport counts every call when it sends it. Make the call right away.
        """
        async with self._allowances[bucket].waiting_lock:
            while not shutdown.requested:
                seconds = self._seconds_until_free(bucket)
                shared = self._allowances[bucket].shared
                if seconds <= 0 and shared is not None:
                    seconds = await shared.acquire()
                if seconds <= 0 and self.circuit_breaker.allow():
                    return True
                jitter = random.uniform(0, min(1.0, seconds / 10))  # noqa: S311
                await shutdown.wait(min(max(seconds, 0.01), MAX_SLEEP_SECONDS) + jitter)
        return False

    def count(self, bucket: Bucket) -> None:
        """Count a call that is being sent. Calls that cannot wait are counted too, so background calls wait longer."""
        self._allowances[bucket].take()

    def update(self, bucket: Bucket, headers: Mapping[str, str]) -> None:
        """Update the limit from the headers of a response. Missing and invalid headers change nothing."""
        limit, remaining, reset = (
            _number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
        )
        if limit:
            self._set_limit(bucket, limit)
        if remaining is not None and reset is not None:
            allowance = self._allowances[bucket]
            allowance.remaining = remaining
            allowance.resets_at = self._clock() + min(reset, MAX_RESET_SECONDS)

    def exhaust(self, bucket: Bucket, seconds: float) -> None:
        """Record HTTP 429: background calls wait for `seconds`."""
        allowance = self._allowances[bucket]
        allowance.remaining, allowance.resets_at = 0, self._clock() + seconds
        if allowance.shared is not None:
            allowance.shared.pause(seconds)

    async def close(self) -> None:
        """Count the calls that the shared counter does not know yet."""
        for shared in self._shared_budgets.values():
            await shared.close()

    def _set_limit(self, bucket: Bucket, limit: int) -> None:
        known = self._allowances[bucket]
        if known.reported and known.limit == limit:
            return
        # Buckets whose reported limits are equal share one allowance: in test mode, one limit applies to all calls together.
        equal = (each for each in self._allowances.values() if each.reported and each.limit == limit)
        found = next(equal, None) or self._allowance(limit, reported=True)
        found.tokens = min(found.tokens, known.tokens)
        self._allowances[bucket] = found
        calls_per_minute.labels(bucket).set(self.per_minute(bucket))

    def _allowance(self, limit: int, *, reported: bool) -> Allowance:
        allowed = max(1.0, limit * BACKGROUND_SHARE)
        if self._budget is not None:
            allowed = min(allowed, self._budget) if reported else self._budget
        per_second = allowed / WINDOW_SECONDS
        allowance = Allowance(limit, reported, per_second, 0.0, self._clock())
        allowance.tokens = allowance.burst
        if self._counter is not None:
            if limit not in self._shared_budgets and len(self._shared_budgets) < MAX_SHARED_BUDGETS:
                self._shared_budgets[limit] = SharedBudget(
                    self._counter, limit, per_second, allowance.burst, self._clock
                )
            allowance.shared = self._shared_budgets.get(limit)
            if allowance.shared is not None and reported:
                allowance.shared.set_rate(per_second, allowance.burst)
        return allowance

    def _seconds_until_free(self, bucket: Bucket) -> float:
        return max(
            self.circuit_breaker.seconds_until_retry(), self._allowances[bucket].seconds_until_free(self._clock())
        )


def _number(header: str | None) -> int | None:
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 9:
        return None
    return min(int(header), MAX_HEADER_VALUE)
