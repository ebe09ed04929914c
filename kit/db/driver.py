"""Statements of the hottest paths, executed on asyncpg itself.

SQLAlchemy needs three times as long as asyncpg for a statement: it looks up the compiled text, starts a greenlet, and wraps the result. A
DriverStatement is an ordinary statement of SQLAlchemy Core that is compiled once. It runs inside the transaction of a session, and its
errors are asyncpg's, which are answered like those of SQLAlchemy (kit/errors.py).

    RENAME = DriverStatement(update(items).where(items.c.id == bindparam("item")).values(name=bindparam("new_name")))
    await RENAME.fetch(session, item=1, new_name="Cup")
"""

from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import Executable

from kit.db.statements import Statement

TIMEOUT_SECONDS = 3.8
"""As command_timeout in engine.py."""


class DriverStatement:
    """A compiled statement (statements.py) that is executed in the transaction of a session."""

    def __init__(self, statement: Executable) -> None:
        self._statement = Statement(statement)

    async def fetch(self, session: AsyncSession, **values: Any) -> list[asyncpg.Record]:
        """Execute the statement in the transaction of `session`, which an earlier statement has begun, and return its rows.

        JSON is decoded, as by the session.
        """
        connection = await session.connection()
        driver = (await connection.get_raw_connection()).driver_connection
        if not isinstance(driver, asyncpg.Connection) or not driver.is_in_transaction():
            raise RuntimeError("the first statement of a transaction must be executed by the session")
        arguments = self._statement.arguments(values)
        rows: list[asyncpg.Record] = await driver.fetch(self._statement.sql, *arguments, timeout=TIMEOUT_SECONDS)
        return rows
