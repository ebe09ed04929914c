"""A process that dies where it stands: at one of its statements or commits, or in the middle of a call of Paystack."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")
PASSED_OVER = ("NOTIFY", "ROLLBACK TO SAVEPOINT")


class Killed(BaseException):
    """No code of the process sees this and goes on."""


class Fuse:
    """Burns by one at each touch of a process that goes `through` it; burnt down, every touch ends the process. `left` None: unlit."""

    def __init__(self) -> None:
        self.left: int | None = None
        self._burning = False

    def watch(self, *engines: AsyncEngine) -> None:
        for engine in engines:
            event.listen(engine.sync_engine, "before_cursor_execute", self._statement)
            event.listen(engine.sync_engine, "commit", self._commit)

    def unwatch(self, *engines: AsyncEngine) -> None:
        for engine in engines:
            event.remove(engine.sync_engine, "before_cursor_execute", self._statement)
            event.remove(engine.sync_engine, "commit", self._commit)

    def touch(self) -> None:
        if self._burning and self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    def _statement(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(PASSED_OVER):
            self.touch()

    def _commit(self, _: Any) -> None:
        self.touch()

    async def through(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """What the work answers; None where the process died of it. Afterwards another one goes on."""
        self._burning = True
        try:
            return await work()
        except BaseException as error:
            if not _is_death(error):
                raise
            return None
        finally:
            self._burning, self.left = False, None


def _is_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_death(one) for one in error.exceptions)
    return isinstance(error, Killed)
