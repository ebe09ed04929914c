"""The function that a service offers so that its events can be published again."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

Republish = Callable[[datetime, datetime], AsyncGenerator[int, None]]
"""Writes the events of a period (from, to) to the outbox again, one batch per transaction. Yields the number of events in each batch.

Each event has the id that it had before, so consumers ignore those that they have processed.
"""
