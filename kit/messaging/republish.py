"""The type of the function with which a service republishes its events."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

Republish = Callable[[datetime, datetime], AsyncGenerator[int, None]]
"""Adds the events of a period (from, to) to the outbox again, one batch per transaction. Yields the number of events in each batch.

The events have their original ids, so consumers ignore those that they have processed.
"""
