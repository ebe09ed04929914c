"""Where events are put to be signed and sent to the merchant."""

import sqlite3
from dataclasses import dataclass

from sandbox.door.faults import Faults
from sandbox.orders import ONCE, Order
from sandbox.store import now
from sandbox.webhooks import queue


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as the merchant will read it."""

    name: str
    reference: str
    """Of the transaction."""
    row: int
    """The numeric id of what it is about: a transaction, a refund."""
    body: bytes


GAP = 25
"""Milliseconds between two webhooks that are sent in reverse order."""


class Postbox:
    def __init__(self, key: bytes, url: str | None, faults: Faults) -> None:
        self._key = key
        self._url = url
        self._faults = faults
        self._window_began = 0
        self._put_within = 0

    def put(self, connection: sqlite3.Connection, event: Event, order: Order = ONCE) -> None:
        """In the transaction of the change that it tells. Without an address nothing is kept."""
        if self._url is None:
            return
        weather = self._faults.weather.webhooks
        deliveries = weather.deliveries if order.deliveries is None else order.deliveries
        delay = weather.delay_ms if order.delay_ms is None else order.delay_ms
        if weather.reverse_ms:
            delay += self._reversed(weather.reverse_ms)
        signed = queue.signature(self._key, event.body)
        letter = queue.Letter(event.name, event.reference, event.row, event.body, signed)
        queue.enqueue(connection, letter, deliveries, delay)
        if weather.again_after_ms is not None and deliveries:
            queue.enqueue(connection, letter, 1, delay + weather.again_after_ms, copy=deliveries)

    def _reversed(self, window: int) -> int:
        """Milliseconds to wait: until the window of time is over, and then the longer the earlier it was put."""
        at = now()
        if at >= self._window_began + window:
            self._window_began, self._put_within = at, 0
        self._put_within += 1
        return self._window_began + window - at + max(0, window - self._put_within * GAP)
