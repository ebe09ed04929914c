"""The type of the function with which a service republishes its events."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

Republish = Callable[[datetime, datetime], AsyncGenerator[int, None]]
"""Adds the events of a period (from, to) to the outbox again, one batch per transaction.

Yields how many events each batch added. Those that are still in the outbox are not counted.

The events have their original ids, so consumers ignore those that they have processed.
"""
