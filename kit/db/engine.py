"""Engines with bounded waits, sessions, constraint names and column types."""

from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import (
    BigInteger,
    DateTime,
    Text,
    Uuid,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_

from kit.database_url import async_url, tls_arguments
from kit.db.errors import sqlstate

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints and indexes, so that a migration can name the ones it drops."""


TYPES: dict[Any, Any] = {
    int: BigInteger,
    str: Text,
    UUID: Uuid,
    datetime: DateTime(timezone=True),
    dict[str, Any]: JSONB,
    dict[str, str]: JSONB,
    dict[str, int]: JSONB,
}
"""The column type for each Python type: money needs 64 bits, and times are timezone-aware."""


# Messages of asyncpg for a connection that the server has closed. SQLAlchemy knows only some of them.
CLOSED_CONNECTION_MESSAGES = (
    "connection was closed",
    "connection is closed",
    "connection has been closed",
    "terminating connection",
)


def mark_closed_connections(context: ExceptionContext) -> None:
    """Mark connections that the server has closed, so that the pool discards them."""
    if sqlstate(context.original_exception) in {"57P01", "57P02", "57P03"} or any(
        words in str(context.original_exception) for words in CLOSED_CONNECTION_MESSAGES
    ):
        context.is_disconnect = True


_skips_test: ContextVar[bool] = ContextVar("skips_test", default=False)


def begin_as_ping(connection: Any) -> bool:
    """Test a connection that leaves the pool by beginning its next transaction, unless it is for `untested_connection`.

    SQLAlchemy's own test is a transaction of its own: three round trips to the server, before the BEGIN of the transaction that follows. If
    the BEGIN fails because the connection is dead, the pool replaces it, as after its own test. A connection that is returned unused, or
    switched to AUTOCOMMIT, is rolled back.
    """
    if not _skips_test.get():
        await_(connection._start_transaction())
    return True


async def untested_connection(engine: AsyncEngine) -> PoolProxiedConnection:
    """Take a connection from the pool of `engine` without a transaction and without a test, so it may be dead. The caller returns it."""
    before = _skips_test.set(True)
    try:
        return await engine.raw_connection()
    finally:
        _skips_test.reset(before)


def create_engine(url: SecretStr, *, name: str, connections: int = 15) -> AsyncEngine:
    """Create an engine with at most `connections` connections.

    Every wait is bounded: connecting, waiting for the pool, locks, statements and idle transactions.

    A healthy server cancels a slow statement after 3.5 seconds. The longest wait is for a server that does not respond: 3.8 seconds until
    asyncpg gives up the statement, and 2 seconds until it gives up closing the connection, together less than six seconds.
    """
    engine = create_async_engine(
        async_url(url),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=3,
        pool_recycle=1800,
        pool_pre_ping=True,
        hide_parameters=True,  # logged errors must not show password hashes or e-mail addresses
        connect_args={
            **tls_arguments(url),
            "timeout": 2,
            "command_timeout": 3.8,
            "server_settings": {
                "application_name": name,
                "statement_timeout": "3500",
                "lock_timeout": "2000",
                "idle_in_transaction_session_timeout": "10000",
                "timezone": "UTC",
                "jit": "off",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", mark_closed_connections)
    engine.dialect.do_ping = begin_as_ping  # type: ignore[method-assign, assignment]
    return engine


def create_sessionmaker(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Create the sessionmaker of a service.

    Objects keep their loaded values after the commit. Bulk UPDATE and DELETE statements do not update the objects that the session has
    loaded: `synchronize_session` costs a round trip, and our code never reads an object again after such a statement.
    """
    return async_sessionmaker(engine, expire_on_commit=False, execution_options={"synchronize_session": False})
