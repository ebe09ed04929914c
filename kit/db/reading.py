"""The engine of GET requests: no BEGIN, COMMIT or ping, its own connections, and one retry if a connection is dead.

Reads cannot use up the connections that writes need, and the database refuses a statement that writes. Each statement has its own snapshot,
as in the READ COMMITTED transactions of other requests. A request that locks rows or writes needs a transaction.
"""

from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from kit.database_url import async_url, tls_arguments
from kit.db.engine import mark_closed_connections

T = TypeVar("T")


def create_reading_engine(url: SecretStr, *, name: str, connections: int = 5) -> AsyncEngine:
    """Create an engine for reads, with at most `connections` connections, on which every wait is bounded.

    A healthy server cancels a slow statement after 2 seconds. If the server does not respond, asyncpg abandons the statement after 2.3
    seconds. A read is cancelled earlier than a write (engine.py): there are more reads, and a client can repeat them.
    """
    engine = create_async_engine(
        async_url(url),
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=2,
        pool_recycle=1800,
        pool_reset_on_return=None,  # there is no transaction to roll back
        hide_parameters=True,
        connect_args={
            **tls_arguments(url),
            "timeout": 2,
            "command_timeout": 2.3,
            "server_settings": {
                "application_name": f"{name}-reading",
                "default_transaction_read_only": "on",
                "statement_timeout": "2000",
                "lock_timeout": "1000",
                "timezone": "UTC",
                "jit": "off",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", mark_closed_connections)
    return engine


def create_reading_sessionmaker(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Create the sessionmaker of a reading engine. Its sessions repeat a statement once if the connection is dead."""
    return async_sessionmaker(engine, expire_on_commit=False, sync_session_class=RetryingSession)


class RetryingSession(Session):
    """A session that repeats a statement once, on a new connection, if the server or the network has ended the connection.

    Only for reads without a transaction: nothing that the first attempt did is lost or done twice. Objects that were loaded before keep
    their values.
    """

    def execute(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().execute(*arguments, **options)
        except (DBAPIError, ConnectionError) as error:
            self._prepare_retry(error)
        return super().execute(*arguments, **options)

    def scalar(self, *arguments: Any, **options: Any) -> Any:
        return self.execute(*arguments, **options).scalar()

    def scalars(self, *arguments: Any, **options: Any) -> Any:
        return self.execute(*arguments, **options).scalars()

    def _prepare_retry(self, error: DBAPIError | ConnectionError) -> None:
        """Raise the error unless the connection is dead; otherwise discard the connection.

        After a disconnect, SQLAlchemy's pool also replaces all connections that were opened before the error.
        """
        if isinstance(error, DBAPIError) and not error.connection_invalidated:
            raise error
        self.invalidate()
