import asyncio
import logging
import ssl
import time
from contextlib import suppress
from functools import partial

import httpx

from sandbox.enums import WebhookState
from sandbox.store import Store
from sandbox.timestamps import now
from sandbox.webhooks import queue
from sandbox.webhooks.queue import Delivery, DeliveryAttempt

log = logging.getLogger(__name__)

CONCURRENCY = 64
"""Number of webhooks that are sent at the same time, at most."""
TIMEOUT = 5.0
"""Seconds within which the receiver must complete its response. Must be less than the lease."""
RESPONSE_LIMIT = 64 * 1024
"""Bytes of the response that are read, so that the connection can be used again."""
RESPONSE_KEPT = 300
"""Bytes of the response that are recorded."""


# One client per concurrent delivery: httpx's pool scans its idle connections on every request, which costs more than the
# request itself.
ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30)


class WebhookSender:
    """Background task that sends due webhooks concurrently. An unsuccessful delivery is repeated on the schedule of queue.py."""

    def __init__(self, store: Store, url: str | None, time_scale: float) -> None:
        self._store = store
        self._url = url
        self._time_scale = time_scale
        self._wake = asyncio.Event()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._idle_clients: list[httpx.AsyncClient] = []
        self._tls = ssl.create_default_context()

    def notify(self) -> None:
        """Make the sender read the queue."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled. Unfinished deliveries stay in the queue."""
        if self._url is None:
            log.warning("webhooks are disabled: SANDBOX_WEBHOOK_URL is not set")
            return
        pending = await self._store.run(queue.release_leases)
        if pending:
            log.info("webhook queue opened: pending=%d", pending)
        try:
            while True:
                try:
                    await self._start_due()
                except Exception:
                    log.exception("webhook queue could not be read; next attempt in 1 s")
                    await asyncio.sleep(1)
        finally:
            for task in self._deliveries:
                task.cancel()
            await asyncio.gather(*self._deliveries, return_exceptions=True)
            for client in self._idle_clients:
                await client.aclose()

    async def _start_due(self) -> None:
        """Start due deliveries up to the concurrency limit, then wait for the next due time or a notification."""
        self._wake.clear()
        free = CONCURRENCY - len(self._deliveries)
        if free:
            due, wait = await self._store.run(partial(queue.take_due, limit=free))
        else:
            due, wait = [], queue.MAX_WAIT_SECONDS
        for delivery in due:
            task = asyncio.create_task(self._deliver(delivery))
            self._deliveries.add(task)
            task.add_done_callback(self._delivery_done)
        if len(due) < free or not free:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    def _delivery_done(self, task: asyncio.Task[None]) -> None:
        if len(self._deliveries) == CONCURRENCY:
            self._wake.set()
        self._deliveries.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("webhook attempt could not be recorded: %r", error)

    async def _deliver(self, delivery: Delivery) -> None:
        started, at = time.perf_counter(), now()
        client = self._idle_clients.pop() if self._idle_clients else self._new_client()
        try:
            status, error, response_body = await self._post(client, delivery)
        finally:
            self._idle_clients.append(client)
        attempt = DeliveryAttempt(
            at, status, error, response_body, milliseconds=round((time.perf_counter() - started) * 1000)
        )
        state = await self._store.run(
            lambda connection: queue.record_attempt(connection, delivery, attempt, self._time_scale)
        )
        result = (delivery.event, delivery.reference, delivery.attempts + 1, status or error)
        if state == WebhookState.PENDING:
            self._wake.set()
            log.info("webhook delivery failed: event=%s reference=%s attempt=%d result=%s", *result)
        elif state == WebhookState.GIVEN_UP:
            log.warning("webhook given up: event=%s reference=%s attempt=%d result=%s", *result)

    def _new_client(self) -> httpx.AsyncClient:
        # trust_env=False: no proxy from the environment, because the receiver is on this machine or in this network.
        return httpx.AsyncClient(limits=ONE_CONNECTION, timeout=TIMEOUT, trust_env=False, verify=self._tls)

    async def _post(self, client: httpx.AsyncClient, delivery: Delivery) -> tuple[int | None, str | None, str]:
        """Return the status (or None), the error (or None), and the first bytes of the response body as text."""
        headers = {"content-type": "application/json"}
        if delivery.signature is not None:
            headers["x-paystack-signature"] = delivery.signature
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                client.stream("POST", self._url or "", content=delivery.body, headers=headers) as response,
            ):
                read, kept = 0, b""
                async for chunk in response.aiter_raw():
                    kept = kept or chunk[:RESPONSE_KEPT]
                    read += len(chunk)
                    if read > RESPONSE_LIMIT:
                        break
                return response.status_code, None, kept.decode(errors="replace")
        except (TimeoutError, httpx.TimeoutException):
            return None, f"no response within {TIMEOUT:g} s", ""
        except (httpx.HTTPError, httpx.InvalidURL, OSError, AttributeError, RuntimeError) as error:
            # httpx on uvloop raises AttributeError or RuntimeError for a connection that was reset immediately after it was opened.
            return None, f"{type(error).__name__}: {error}"[:200], ""
