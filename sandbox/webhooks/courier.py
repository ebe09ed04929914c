import asyncio
import logging
import ssl
import time
from contextlib import suppress
from functools import partial

import httpx

from sandbox.store import Store, now
from sandbox.transactions.bodies import instant
from sandbox.webhooks import queue
from sandbox.webhooks.queue import Delivery

log = logging.getLogger(__name__)

SLOTS = 64
"""Webhooks on their way at the same time."""
TIMEOUT = 5.0
"""Seconds that a receiver has for its whole answer; less than the lease of a claim."""
ANSWER_LIMIT = 64 * 1024
"""Bytes of the receiver's answer that are read, so that its connection can be used again."""
ANSWER_KEPT = 300
"""Bytes of it that are written down."""


# A client a slot: httpx's pool looks at every idle connection at every request, which costs more than the request.
ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30)


class Courier:
    """Takes webhooks that are due from the store and posts them, many at once, until the receiver says 200."""

    def __init__(self, store: Store, url: str | None, time_scale: float) -> None:
        self._store = store
        self._url = url
        self._time_scale = time_scale
        self._awake = asyncio.Event()
        self._on_their_way: set[asyncio.Task[None]] = set()
        self._clients: list[httpx.AsyncClient] = []
        """The idle ones, at most SLOTS."""
        self._tls = ssl.create_default_context()

    def wake(self) -> None:
        """There is something new to send."""
        self._awake.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is unfinished then stays in the store."""
        if self._url is None:
            log.warning("SANDBOX_WEBHOOK_URL is not set: no webhooks will be sent")
            return
        waiting = await self._store.run(queue.resume)
        if waiting:
            log.info("%d webhooks still to be delivered", waiting)
        try:
            while True:
                try:
                    await self._hand_out()
                except Exception:
                    log.exception("the webhooks cannot be read; trying again in a second")
                    await asyncio.sleep(1)
        finally:
            for task in self._on_their_way:
                task.cancel()
            await asyncio.gather(*self._on_their_way, return_exceptions=True)
            for client in self._clients:
                await client.aclose()

    async def _hand_out(self) -> None:
        self._awake.clear()
        free = SLOTS - len(self._on_their_way)
        due, wait = await self._store.run(partial(queue.claim, limit=free)) if free else ([], 60.0)
        for delivery in due:
            task = asyncio.create_task(self._deliver(delivery))
            self._on_their_way.add(task)
            task.add_done_callback(self._arrived)
        if len(due) < free or not free:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._awake.wait()

    def _arrived(self, task: asyncio.Task[None]) -> None:
        if len(self._on_their_way) == SLOTS:
            self._awake.set()
        self._on_their_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("how a webhook went could not be written down: %r", error)

    async def _deliver(self, delivery: Delivery) -> None:
        started, at = time.perf_counter(), now()
        client = self._clients.pop() if self._clients else self._client()
        try:
            status, error, answer = await self._post(client, delivery)
        finally:
            self._clients.append(client)
        attempt = {
            "at": instant(at),
            "status": status,
            "error": error,
            "answer": answer,
            "milliseconds": round((time.perf_counter() - started) * 1000),
        }
        state = await self._store.run(lambda connection: queue.record(connection, delivery, attempt, self._time_scale))
        if state == "pending":
            self._awake.set()
            log.info("webhook %d: %s, try %d; once more later", delivery.id, status or error, delivery.tries + 1)
        elif state == "given_up":
            log.warning("webhook %d: %s, given up after %d tries", delivery.id, status or error, delivery.tries + 1)

    def _client(self) -> httpx.AsyncClient:
        # No proxy of the environment: the receiver is on this machine or in this network.
        return httpx.AsyncClient(limits=ONE_CONNECTION, timeout=TIMEOUT, trust_env=False, verify=self._tls)

    async def _post(self, client: httpx.AsyncClient, delivery: Delivery) -> tuple[int | None, str | None, str]:
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
                    kept = kept or chunk[:ANSWER_KEPT]
                    read += len(chunk)
                    if read > ANSWER_LIMIT:
                        break
                return response.status_code, None, kept.decode(errors="replace")
        except (TimeoutError, httpx.TimeoutException):
            return None, f"no answer within {TIMEOUT:g} s", ""
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            return None, f"{type(failure).__name__}: {failure}"[:200], ""
