"""Where events are put to be signed and sent to the merchant."""

import sqlite3
from dataclasses import dataclass

from sandbox import webhooks


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, as the merchant will read it."""

    name: str
    reference: str
    """Of the transaction."""
    row: int
    """The numeric id of what it is about: a transaction, a refund."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """How a script wants an event to be delivered."""

    deliveries: int = 1
    """0: lost on its way."""
    delay_ms: int = 0


ONCE = Order()


class Postbox:
    def __init__(self, key: bytes, url: str | None) -> None:
        self._key = key
        self._url = url

    def put(self, connection: sqlite3.Connection, event: Event, order: Order = ONCE) -> None:
        """In the transaction of the change that it tells. Without an address nothing is kept."""
        if self._url is None:
            return
        webhooks.enqueue(
            connection,
            event.name,
            event.reference,
            event.body,
            webhooks.signature(self._key, event.body),
            order.deliveries,
            order.delay_ms,
            event.row,
        )
