"""Signs webhook events and adds them to the queue, with the deliveries and delays of the current faults."""

import sqlite3
from dataclasses import dataclass

from sandbox.controls import DEFAULT_DELIVERY, DeliveryOptions
from sandbox.faults.injector import FaultInjector
from sandbox.timestamps import now
from sandbox.webhooks import queue


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    name: str
    reference: str
    """Reference of the transaction."""
    row_id: int
    """Numeric id of the transaction, refund or dispute."""
    body: bytes


REVERSE_GAP = 25
"""Milliseconds between two webhooks that are sent in reverse order."""


class WebhookDispatcher:
    def __init__(self, key: bytes, url: str | None, fault_injector: FaultInjector) -> None:
        self._key = key
        self._url = url
        self._fault_injector = fault_injector
        self._window_started_at = 0
        self._events_in_window = 0

    def dispatch(
        self, connection: sqlite3.Connection, event: WebhookEvent, options: DeliveryOptions = DEFAULT_DELIVERY
    ) -> None:
        """Queue an event in the database transaction of the change that it reports. Without a webhook URL, do nothing."""
        if self._url is None:
            return
        faults = self._fault_injector.faults.webhooks
        deliveries = faults.deliveries if options.deliveries is None else options.deliveries
        delay = faults.delay_ms if options.delay_ms is None else options.delay_ms
        if faults.reverse_ms:
            delay += self._reverse_delay(faults.reverse_ms)
        webhook = queue.OutgoingWebhook(
            event.name, event.reference, event.row_id, event.body, queue.sign(self._key, event.body)
        )
        queue.enqueue(connection, webhook, deliveries, delay)
        if faults.again_after_ms is not None and deliveries:
            queue.enqueue(connection, webhook, 1, delay + faults.again_after_ms, first_copy=deliveries)

    def _reverse_delay(self, window: int) -> int:
        """Return the delay of an event in milliseconds. Events are sent after the window has ended, the last one of the window first."""
        at = now()
        if at >= self._window_started_at + window:
            self._window_started_at, self._events_in_window = at, 0
        self._events_in_window += 1
        return self._window_started_at + window - at + max(0, window - self._events_in_window * REVERSE_GAP)
