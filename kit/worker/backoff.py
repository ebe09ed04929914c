"""Exponential backoff with jitter, in Python and in SQL."""

import random
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import InstrumentedAttribute

MAX_DOUBLINGS = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: about `first` seconds, doubled after each attempt, never more than `longest` seconds.

    `jitter` is the fraction by which a pause varies in both directions, so that many rows or processes do not retry together.
    """

    first: float
    longest: float
    jitter: float = 0.2

    def seconds(self, pauses: int) -> float:
        """Return the next pause, with jitter. `pauses`: how many there were before."""
        pause = min(self.first * 2.0 ** min(max(pauses, 0), MAX_DOUBLINGS), self._longest_before_jitter)
        return pause * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 -- jitter

    def interval(self, pauses: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[timedelta]:
        """Return the next pause as an SQL interval. `pauses`: a column with the number of those before."""
        doublings = func.greatest(0, func.least(pauses, MAX_DOUBLINGS))
        pause = func.least(self.first * func.power(2, doublings), self._longest_before_jitter)
        jitter = 1 - self.jitter + 2 * self.jitter * func.random()
        return func.make_interval(0, 0, 0, 0, 0, 0, pause * jitter)

    @property
    def _longest_before_jitter(self) -> float:
        """The longest pause before jitter, so that no pause with jitter is longer than `longest`."""
        return self.longest / (1 + self.jitter)
