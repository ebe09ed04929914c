"""What a service offers so that its events can be published again."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime

Republish = Callable[[datetime, datetime], AsyncGenerator[int, None]]
"""Writes the events of what happened from one moment to another, a batch a transaction; yields how many each batch held."""
