import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress

from sandbox.store import Store
from sandbox.timestamps import now
from sandbox.webhooks.sender import WebhookSender

log = logging.getLogger(__name__)

ScheduledJob = Callable[[sqlite3.Connection, int], int | None]
"""Carries out the steps that are due at the given time, and returns the due time of the next step; None: there is no next step.
Times are milliseconds since 1970."""

MAX_WAIT_SECONDS = 60.0


class Scheduler:
    """Background task that carries out the timed steps of refunds, disputes and pending charges."""

    def __init__(self, store: Store, sender: WebhookSender, jobs: Sequence[ScheduledJob]) -> None:
        self._store = store
        self._sender = sender
        self._jobs = jobs
        self._wake = asyncio.Event()

    def notify(self) -> None:
        """Make the scheduler read the due times again."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled. Steps that become due while the sandbox is stopped are carried out after the next start."""
        while True:
            try:
                self._wake.clear()
                next_at = await self._store.run(self._run_due)
                self._sender.notify()
                wait = MAX_WAIT_SECONDS if next_at is None else min(max(next_at - now(), 0) / 1000, MAX_WAIT_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            except Exception:
                log.exception("scheduled steps failed; next attempt in 1 s")
                await asyncio.sleep(1)

    def _run_due(self, connection: sqlite3.Connection) -> int | None:
        at = now()
        due_times = [job(connection, at) for job in self._jobs]
        return min((due_at for due_at in due_times if due_at is not None), default=None)
