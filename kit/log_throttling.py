"""Log a repeated line once in a while. A job that repeats every second must not log the same alarm every second."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MINUTE, HOUR = 60.0, 3600.0
MAX_LINES = 1_000
"""The number of lines that are remembered. The line that was logged the longest time ago is forgotten first."""


@dataclass(slots=True)
class _Line:
    """When a line was logged last, and how often it was left out since then."""

    logged_at: float
    left_out: int = 0


class LogThrottle:
    """Logs a line at most once per interval. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines: OrderedDict[tuple[str, object], _Line] = OrderedDict()

    def log(
        self,
        log_line: Callable[..., object],
        message: str,
        *,
        about: object,
        every: float = MINUTE,
        **fields: object,
    ) -> None:
        """Log a line with `log_line`, unless the same message `about` the same thing was logged less than `every` seconds ago.

        `about` must be hashable. The line has a field `repeated` if lines were left out since the last one: their number.
        """
        now = self._clock()
        line = self._lines.get((message, about))
        if line is not None and now - line.logged_at < every:
            line.left_out += 1
            return
        if line is not None and line.left_out:
            fields["repeated"] = line.left_out
        self._lines[message, about] = _Line(now)
        self._lines.move_to_end((message, about))
        if len(self._lines) > MAX_LINES:
            self._lines.popitem(last=False)
        log_line(message, **fields)


log_throttled = LogThrottle().log
"""Logs through the throttle of this process."""


def log_failure(
    log_line: Callable[..., object],
    message: str,
    error: BaseException,
    *,
    about: object = None,
    every: float = MINUTE,
    **fields: object,
) -> None:
    """Log a failure with the class of its error and the reason.

    It is not logged if the same message with an error of the same class and the same `about` was logged less than `every` seconds ago.
    `about` separates failures that are logged independently of each other, for example those of two jobs.
    """
    reason = (str(error).splitlines() or [""])[0][:200]
    kind = type(error)
    log_throttled(log_line, message, about=(kind, about), every=every, **fields, error=kind.__name__, reason=reason)
