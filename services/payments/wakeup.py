"""Wakes the worker across processes: one NOTIFY for many stored notices, outside their transactions, with the worker's poll behind it."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Literal

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.worker.shutdown import Shutdown
from services.payments.settings import settings

CHANNEL = "payments_work"
Work = Literal["notices", "errands"]
"""What there is to do: notices to settle, or what is done at Paystack (refunds, disputes, cards to forget)."""

PAUSE_SECONDS = 0.01
"""NOTIFY takes a lock of the whole database at commit: however many ask, it runs at most a hundred times a second."""

NOTIFY_SECONDS = 5
KEEPALIVE_SECONDS = 10


class Doorbell:
    """`ring()` is cheap and never waits; what it cannot deliver, the worker's poll finds."""

    def __init__(self, engine: AsyncEngine, work: Work) -> None:
        self._engine = engine
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def ring(self) -> None:
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ring())

    async def rung(self) -> None:
        """Wait until it was delivered, or not: for a process that ends."""
        if self._task is not None:
            await self._task

    async def _ring(self) -> None:
        now = asyncio.get_running_loop().time
        while self._again:  # who rings while the connection goes back is heard too
            try:
                async with asyncio.timeout(NOTIFY_SECONDS) as limit, self._engine.connect() as connection:
                    await connection.execution_options(isolation_level="AUTOCOMMIT")
                    while self._again:  # one connection, while they keep coming
                        self._again = False
                        await connection.execute(text(f"NOTIFY {CHANNEL}, '{self._work}'"))
                        await asyncio.sleep(PAUSE_SECONDS)
                        limit.reschedule(now() + NOTIFY_SECONDS)
            except Exception:  # the poll finds it
                return


async def listen(shutdown: Shutdown, bells: Mapping[Work, Collection[asyncio.Event]]) -> None:
    """The worker's side: rings the bells of what a NOTIFY names. Raises when the connection is lost, to be started again."""
    connection = await asyncpg.connect(settings.payments_database_url.get_secret_value(), timeout=5, command_timeout=5)

    def ring(work: object) -> None:
        for name, those in bells.items():
            if work in (name, ""):
                for bell in those:
                    bell.set()

    try:
        await connection.add_listener(CHANNEL, lambda *told: ring(told[-1]))
        ring("")  # for what came before we listened
        while not shutdown.requested:
            await shutdown.wait(KEEPALIVE_SECONDS)
            await connection.execute("SELECT 1")
    finally:
        connection.terminate()
