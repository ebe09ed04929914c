import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress

from sandbox.store import Store, now
from sandbox.webhooks.courier import Courier

log = logging.getLogger(__name__)

Turn = Callable[[sqlite3.Connection, int], int | None]
"""Does what is due at a time, and answers when the next is due. Both in milliseconds since 1970."""

LONGEST_WAIT = 60.0


class Clock:
    """What happens at Paystack by itself as time goes by."""

    def __init__(self, store: Store, courier: Courier, turns: Sequence[Turn]) -> None:
        self._store = store
        self._courier = courier
        self._turns = turns
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Something new has a time."""
        self._awake.set()

    async def run(self) -> None:
        """Until cancelled. What is due then is done after the next start."""
        while True:
            try:
                self._awake.clear()
                next_at = await self._store.run(self._turn)
                self._courier.wake()
                wait = LONGEST_WAIT if next_at is None else min(max(next_at - now(), 0) / 1000, LONGEST_WAIT)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._awake.wait()
            except Exception:
                log.exception("time stands still; trying again in a second")
                await asyncio.sleep(1)

    def _turn(self, connection: sqlite3.Connection) -> int | None:
        at = now()
        times = [turn(connection, at) for turn in self._turns]
        return min((each for each in times if each is not None), default=None)
