"""Leaves Paystack alone while it does not answer, and while it rejects our key.

closed ── FAILURES in a row, or a rejected key ──► open ── its pause is over ──► one call is let through
   ▲                                                ▲                                   │
   └──────────────────── it was answered ───────────┼───────────────────────────────────┤
                                                    └── it was not: twice the pause ────┘
"""

import random
import time
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

FAILURES = 5
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
KEY_PAUSE = 30.0
PROBE_SECONDS = 20.0
"""After which the one call is taken to be lost; longer than any call lasts."""

circuit_open = Gauge(
    "paystack_circuit_open", "1 while calls that can wait are not made, because Paystack does not answer"
)
key_rejected = Gauge("paystack_key_rejected", "1 while Paystack rejects our secret key: a person must act")
log = structlog.get_logger("paystack")


class CircuitBreaker:
    """`clock` answers seconds. What comes of every call is told to it, whoever made the call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._open_until: float | None = None
        self._probe_until = 0.0
        self._rejected = False

    @property
    def open(self) -> bool:
        """Whether calls wait."""
        return self._open_until is not None

    def seconds_until_retry(self) -> float:
        """Seconds until a call may be let through; 0 for now."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock(), self._probe_left())

    def allow(self) -> bool:
        """Whether this call may be made. Of those that come when the pause is over, one may."""
        if self.seconds_until_retry() > 0:
            return False
        if self.open:
            self._probe_until = self._clock() + PROBE_SECONDS
        return True

    def record_answer(self) -> None:
        """An answer, whatever it says."""
        if self.open:
            log.info("Paystack answers again")
        self._failures, self._pause, self._open_until, self._probe_until = 0, FIRST_PAUSE, None, 0.0
        self._rejected = False
        circuit_open.set(0)
        key_rejected.set(0)

    def record_failure(self) -> None:
        """A timeout, a broken connection, 5xx or nonsense."""
        self._failures += 1
        if self._failures >= FAILURES or self.open:
            self._open(self._pause, "Paystack does not answer")

    def record_rejected_key(self, reason: str) -> None:
        """401: no call can succeed until a person has changed the key. No payment is at fault."""
        if not self._rejected:
            log.critical("Paystack rejects our secret key: check PAYSTACK_SECRET_KEY", reason=reason)
        self._rejected = True
        key_rejected.set(1)
        self._open(max(self._pause, KEY_PAUSE), "Paystack rejects our secret key")

    def _probe_left(self) -> float:
        return self._probe_until - self._clock()

    def _open(self, seconds: float, why: str) -> None:
        if self.open and self._probe_left() <= 0:
            return  # calls that were on their way when it opened tell nothing new
        pause = seconds * random.uniform(0.8, 1.2)  # noqa: S311 -- jitter: several workers must not come back together
        self._open_until, self._probe_until = self._clock() + pause, 0.0
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        circuit_open.set(1)
        log.warning("calls that can wait are not made", why=why, seconds=round(pause, 1))
