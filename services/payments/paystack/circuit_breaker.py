"""Stop background calls while Paystack does not answer, or rejects our secret key.

closed  ── FAILURES in a row, or our secret key is rejected ──► open
open    ── the pause is over ──► probing: one probe call is allowed
probing ── the probe call got a response ──► closed
probing ── the probe call failed ──► open, with twice the pause
"""

import random
import time
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

FAILURES = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
REJECTED_KEY_PAUSE_SECONDS = 30.0
PROBE_SECONDS = 20.0
"""If a probe call has no result after this time, another probe call is allowed. Longer than any call lasts."""

circuit_open = Gauge(
    "paystack_circuit_open",
    "1 while background calls are stopped, because Paystack does not answer or rejects our secret key",
    multiprocess_mode="livemax",
)
key_rejected = Gauge(
    "paystack_key_rejected",
    "1 while Paystack rejects our secret key: an operator must act",
    multiprocess_mode="livemax",
)
log = structlog.get_logger("paystack")


class CircuitBreaker:
    """Stops and resumes background calls. The transport records the result of every call. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._open_until: float | None = None
        self._probe_until = 0.0
        self._rejected = False

    @property
    def open(self) -> bool:
        """Return True while background calls are stopped."""
        return self._open_until is not None

    def seconds_until_retry(self) -> float:
        """Return the seconds until the next call may be allowed; 0 if it may be made now."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock(), self._probe_left())

    def allow(self) -> bool:
        """Return True if this call may be made. When the pause is over, one probe call is allowed."""
        if self.seconds_until_retry() > 0:
            return False
        if self.open:
            self._probe_until = self._clock() + PROBE_SECONDS
        return True

    def record_response(self) -> None:
        """Record a response of Paystack, whether it accepts or refuses the request."""
        if self.open:
            log.info("background calls resumed: Paystack answers again")
        self._failures, self._pause, self._open_until, self._probe_until = 0, FIRST_PAUSE_SECONDS, None, 0.0
        self._rejected = False
        circuit_open.set(0)
        key_rejected.set(0)

    def record_failure(self) -> None:
        """Record a timeout, a network error, a 5xx or an unusable response."""
        self._failures += 1
        if self._failures >= FAILURES or self.open:
            self._open(self._pause, "Paystack does not answer")

    def record_rejected_key(self, reason: str) -> None:
        """Record HTTP 401: no call can succeed until an operator changes the key. It says nothing about the payment of the call."""
        if not self._rejected:
            log.critical("secret key rejected by Paystack: check PAYSTACK_SECRET_KEY", reason=reason)
        self._rejected = True
        key_rejected.set(1)
        self._open(max(self._pause, REJECTED_KEY_PAUSE_SECONDS), "Paystack rejects our secret key")

    def _probe_left(self) -> float:
        return self._probe_until - self._clock()

    def _open(self, seconds: float, reason: str) -> None:
        if self.open and self._probe_left() <= 0:
            return  # not a probe: the failure of another call does not extend the pause
        pause = seconds * random.uniform(0.8, 1.2)  # noqa: S311 -- jitter: workers must not retry together
        self._open_until, self._probe_until = self._clock() + pause, 0.0
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        circuit_open.set(1)
        log.warning("background calls stopped", reason=reason, seconds=round(pause, 1))
