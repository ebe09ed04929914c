"""Exponential backoff with jitter, in Python and in SQL."""

import random
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func
from sqlalchemy.sql.expression import SQLCoreOperations


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: `first` seconds, doubled after each attempt, at most `longest` seconds.

    `jitter` is the fraction by which a pause varies in both directions, so that many rows or processes do not retry together.
    """

    first: float
    longest: float
    jitter: float = 0.2

    def seconds(self, attempts: int) -> float:
        """Return the pause after `attempts` earlier attempts (0 for the first pause), with jitter."""
        pause = min(self.first * 2.0 ** min(max(attempts, 0), 60), self.longest)
        return pause * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 -- jitter

    def interval(self, attempts: SQLCoreOperations[int]) -> ColumnElement[object]:
        """Return the same pause as an SQL interval, computed from a column of earlier attempts."""
        pause = func.least(self.first * func.power(2, func.least(attempts, 60)), self.longest)
        jitter = 1 - self.jitter + 2 * self.jitter * func.random()
        return func.make_interval(0, 0, 0, 0, 0, 0, pause * jitter)
