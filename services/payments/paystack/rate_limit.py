"""How fast we may ask Paystack about what can wait: by the limits that its answers tell, leaving a share for those who pay now.

Documented limits ("Rate limits"): 100 calls in 60 seconds in test mode, 600 live, 3,000 for verify. An answer tells
`x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds); the last word is always theirs.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client import Gauge

from kit.worker.shutdown import Shutdown
from services.payments.paystack.circuit_breaker import CircuitBreaker

Bucket = Literal["verify", "charge", "others"]
"""Calls that Paystack counts apart, where it does."""

BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
DOCUMENTED = {"test": 100, "live": 600}
OURS, RESERVED = 0.75, 0.2
"""Of a limit: what calls that can wait aim at, and what they never touch: it is for checkout and for whoever looks at a payment."""

WINDOW_SECONDS = 60.0
BURST_SECONDS = 5.0
"""Calls that were not made are not saved up for longer."""

LONGEST_LOOK_AHEAD = 30.0
MOST_TOLD = 1_000_000
LONGEST_RESET = 600

calls_per_minute = Gauge("paystack_calls_per_minute", "Calls a minute that may be made for what can wait", ["bucket"])


def bucket_of(path: str) -> Bucket:
    """Which limit a call counts against."""
    if path.startswith("/transaction/verify/"):
        return "verify"
    return "charge" if path.startswith(("/transaction/initialize", "/transaction/charge_authorization")) else "others"


@dataclass(slots=True)
class Allowance:
    """What is left of one limit. `tokens` are calls that may be made now; a debt where more were made."""

    limit: int
    told: bool
    a_second: float
    tokens: float
    counted_at: float
    remaining: int | None = None
    resets_at: float = 0.0
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Whoever waits for it, first come first served."""

    @property
    def reserve(self) -> int:
        """What is left alone."""
        return int(self.limit * RESERVED)

    def wait(self, now: float) -> float:
        """Seconds until a call may be made; 0 for now."""
        burst = max(1.0, self.a_second * BURST_SECONDS)
        self.tokens = min(burst, self.tokens + (now - self.counted_at) * self.a_second)
        self.counted_at = now
        if self.remaining is not None and now >= self.resets_at:
            self.remaining = None
        if self.remaining is not None and self.remaining <= self.reserve:
            return self.resets_at - now
        # A hair less than a whole one is one: floats.
        return 0.0 if self.tokens > 1 - 1e-6 else (1 - self.tokens) / self.a_second

    def take(self) -> None:
        self.tokens -= 1
        if self.remaining is not None:
            self.remaining -= 1


class RateLimit:
    """One for each client: its answers feed it; the sweep, refunds and the backfill wait for their turn with it, first come first served.

    `limit`: Paystack's, a minute, until an answer tells another; `budget`: calls a minute that are never exceeded, whatever is told.
    """

    def __init__(self, limit: int, budget: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.circuit_breaker = CircuitBreaker(clock)
        self._clock = clock
        self._budget = budget
        assumed = self._allowance(limit, told=False)
        self._allowances: dict[Bucket, Allowance] = dict.fromkeys(BUCKETS, assumed)
        for bucket in BUCKETS:
            calls_per_minute.labels(bucket).set(self.per_minute(bucket))

    def per_minute(self, bucket: Bucket) -> float:
        """Calls a minute that may be made in the long run."""
        return self._allowances[bucket].a_second * WINDOW_SECONDS

    async def acquire(self, bucket: Bucket, shutdown: Shutdown) -> bool:
        """Wait until a background call may be made. Return False if shutdown was requested first.

        Does not count the call: the transport counts every call when it sends it. Make the call right away.
        """
        async with self._allowances[bucket].line:
            while not shutdown.requested:
                seconds = self._seconds(bucket)
                if seconds <= 0 and self.circuit_breaker.allow():
                    return True
                jitter = random.uniform(0, min(1.0, seconds / 10))  # noqa: S311
                await shutdown.wait(min(max(seconds, 0.01), LONGEST_LOOK_AHEAD) + jitter)
        return False

    def count(self, bucket: Bucket) -> None:
        """Count a call that is being sent. Calls that cannot wait are counted too, so background calls wait longer."""
        self._allowances[bucket].take()

    def update(self, bucket: Bucket, headers: Mapping[str, str]) -> None:
        """What an answer tells of the limit; answers that tell nothing, or nonsense, change nothing."""
        limit, remaining, reset = (
            _number(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
        )
        if limit:
            self._learn(bucket, limit)
        if remaining is not None and reset is not None:
            allowance = self._allowances[bucket]
            allowance.remaining = remaining
            allowance.resets_at = self._clock() + min(reset, LONGEST_RESET)

    def exhaust(self, bucket: Bucket, seconds: float) -> None:
        """429: nothing is left for so long."""
        allowance = self._allowances[bucket]
        allowance.remaining, allowance.resets_at = 0, self._clock() + seconds

    def _learn(self, bucket: Bucket, limit: int) -> None:
        known = self._allowances[bucket]
        if known.told and known.limit == limit:
            return
        # Calls of the same limit are counted together: in test mode there is one for all.
        shared = (each for each in self._allowances.values() if each.told and each.limit == limit)
        found = next(shared, None) or self._allowance(limit, told=True)
        found.tokens = min(found.tokens, known.tokens)
        self._allowances[bucket] = found
        calls_per_minute.labels(bucket).set(self.per_minute(bucket))

    def _allowance(self, limit: int, *, told: bool) -> Allowance:
        allowed = max(1.0, limit * OURS)
        if self._budget is not None:
            allowed = min(allowed, self._budget) if told else self._budget
        a_second = allowed / WINDOW_SECONDS
        return Allowance(limit, told, a_second, max(1.0, a_second * BURST_SECONDS), self._clock())

    def _seconds(self, bucket: Bucket) -> float:
        return max(self.circuit_breaker.seconds_until_retry(), self._allowances[bucket].wait(self._clock()))


def _number(header: str | None) -> int | None:
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 9:
        return None
    return min(int(header), MOST_TOLD)
