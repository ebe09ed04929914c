"""A shutdown request, and waits that end when shutdown is requested."""

import asyncio


class Shutdown:
    """The state of a shutdown, shared by all background jobs of the process.

    A job checks `requested` between two units of work and returns when it is True.
    """

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    @property
    def requested(self) -> bool:
        """Whether the process was asked to stop."""
        return self._stop.is_set()

    def request(self) -> None:
        """Ask all jobs to stop. Safe to call from a signal handler."""
        self._stop.set()

    async def wait(self, seconds: float, wakeup: asyncio.Event | None = None) -> None:
        """Wait until `wakeup` is set, shutdown is requested, or `seconds` have passed. Then clear `wakeup`."""
        waits = {asyncio.ensure_future(self._stop.wait())}
        if wakeup is not None:
            waits.add(asyncio.ensure_future(wakeup.wait()))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if wakeup is not None:
            wakeup.clear()

    async def wait_requested(self) -> None:
        """Wait until shutdown is requested."""
        await self._stop.wait()
