"""Statements of the hottest paths, executed on asyncpg itself.

SQLAlchemy needs three times as long as asyncpg for a statement: it looks up the compiled text, starts a greenlet, and wraps the result. A
DriverStatement is an ordinary statement of SQLAlchemy Core that is compiled once. It runs inside the transaction of a session, and its
errors are asyncpg's, which are answered like those of SQLAlchemy (kit/errors.py).

    RENAME = DriverStatement(update(items).where(items.c.id == bindparam("item")).values(name=bindparam("new_name")))
    await RENAME.fetch(session, item=1, new_name="Cup")

A request that needs only one statement needs no transaction if executing it twice does no harm: `fetch_alone`.
"""

from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.base import Executable

from kit.db.engine import untested_connection
from kit.db.statements import Statement

TIMEOUT_SECONDS = 3.8
"""The time limit of a statement: the same as `command_timeout` in engine.py."""

ENDED = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.CannotConnectNowError)
"""The server ends the connection after these errors."""


class ConnectionLost(Exception):
    """The connection ended before the statement returned. The statement may have been committed or not."""


class DriverStatement:
    """A compiled statement (statements.py) that is executed on asyncpg."""

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

    async def fetch_alone(self, engine: AsyncEngine, **values: Any) -> list[asyncpg.Record]:
        """Execute the statement as a transaction of its own, and return its rows when it is committed.

        It is one round trip to the server: Postgres commits a statement outside of a transaction itself. The connection comes from the pool
        without a test. Raises ConnectionLost if it was dead, so the caller must be able to execute the statement again, in a transaction of
        a session, which gets a living connection.
        """
        arguments = self._statement.arguments(values)
        connection = await untested_connection(engine)
        driver = connection.driver_connection
        assert isinstance(driver, asyncpg.Connection)  # noqa: S101 -- every engine uses asyncpg
        try:
            rows: list[asyncpg.Record] = await driver.fetch(self._statement.sql, *arguments, timeout=TIMEOUT_SECONDS)
        except BaseException as error:
            _return_after_error(connection, driver, error)
            raise
        connection.close()
        return rows


def _return_after_error(connection: PoolProxiedConnection, driver: asyncpg.Connection, error: BaseException) -> None:
    """Return a connection to the pool, or discard it if it cannot be used again. Raises ConnectionLost if it was dead."""
    was_ended = driver.is_closed() or isinstance(error, ENDED)
    if isinstance(error, asyncpg.PostgresError) and not was_ended:
        connection.close()
        return
    connection.invalidate()  # after a time limit or a cancellation, the statement may still run
    if was_ended and isinstance(error, Exception):
        raise ConnectionLost from error
