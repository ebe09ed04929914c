"""Statements of the hottest paths, executed on asyncpg itself.

SQLAlchemy needs three times as long as asyncpg for a statement: it looks up the compiled text, starts a greenlet, and wraps the result. A
DriverStatement is an ordinary statement of SQLAlchemy Core that is compiled once. It runs inside the transaction of a session, and its
errors are asyncpg's, which are answered like those of SQLAlchemy (kit/errors.py).

    RENAME = DriverStatement(update(items).where(items.c.id == bindparam("item")).values(name=bindparam("new_name")))
    await RENAME.fetch(session, item=1, new_name="Cup")
"""

from collections.abc import Callable
from typing import Any

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

TIMEOUT_SECONDS = 3.8
"""As command_timeout in engine.py."""


class DriverStatement:
    """A statement whose text and parameters do not depend on the values. IN (...) and VALUES of many rows do: pass arrays (bulk.py)."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._text: str | None = None
        self._parameters: list[tuple[str, Callable[[Any], Any] | None]] = []

    async def fetch(self, session: AsyncSession, **values: Any) -> list[asyncpg.Record]:
        """Execute the statement in the transaction of `session`, which an earlier statement has begun, and return its rows.

        JSON is decoded, as by the session.
        """
        connection = await session.connection()
        driver = (await connection.get_raw_connection()).driver_connection
        if not isinstance(driver, asyncpg.Connection) or not driver.is_in_transaction():
            raise RuntimeError("the first statement of a transaction must be executed by the session")
        text = self._text or self._compile(connection.dialect)
        arguments = [values[name] if process is None else process(values[name]) for name, process in self._parameters]
        rows: list[asyncpg.Record] = await driver.fetch(text, *arguments, timeout=TIMEOUT_SECONDS)
        return rows

    def _compile(self, dialect: Dialect) -> str:
        assert isinstance(self._statement, ClauseElement)  # noqa: S101 -- every statement is one
        compiled: Any = self._statement.compile(dialect=dialect)
        self._parameters = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup
        ]
        self._text = str(compiled)
        return self._text
