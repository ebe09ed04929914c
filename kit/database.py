"""Engines, and what an error of the database means."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
from pydantic import SecretStr
from sqlalchemy import (
    ARRAY,
    URL,
    BigInteger,
    DateTime,
    Table,
    TableValuedAlias,
    Text,
    Uuid,
    bindparam,
    column,
    event,
    func,
    literal,
    make_url,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeEngine

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, so that a migration can name what it drops."""

TYPES: dict[Any, Any] = {
    int: BigInteger,
    str: Text,
    UUID: Uuid,
    datetime: DateTime(timezone=True),
    dict[str, Any]: JSONB,
}
"""What an annotation becomes: money needs 64 bits, times are aware."""


def async_url(url: SecretStr) -> URL:
    return make_url(url.get_secret_value()).set(drivername="postgresql+asyncpg")


# Words of asyncpg for a connection that the server has ended; SQLAlchemy knows only some of them.
ENDED = ("connection was closed", "connection is closed", "connection has been closed", "terminating connection")


def _recognise_the_end(context: ExceptionContext) -> None:
    """A connection that the server ended is thrown away, and a checkout that finds it so takes another."""
    if sqlstate(context.original_exception) in {"57P01", "57P02", "57P03"} or any(
        words in str(context.original_exception) for words in ENDED
    ):
        context.is_disconnect = True


def create_engine(url: SecretStr, *, name: str, pool_size: int = 10, max_overflow: int = 5) -> AsyncEngine:
    """An engine on which nothing waits without end: connecting, queueing, locks, statements and idle transactions are bounded.

    A server that says nothing costs a request its longest wait: the client's patience with a statement, and asyncpg's two seconds for
    closing what it gave up; together less than six. A healthy server ends a slow statement itself, a moment earlier.
    """
    engine = create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=3,
        pool_recycle=1800,
        pool_pre_ping=True,
        hide_parameters=True,  # an error that is logged shows no hash and no address
        connect_args={
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
    event.listen(engine.sync_engine, "handle_error", _recognise_the_end)
    return engine


def arrays(**columns: tuple[type[TypeEngine[Any]] | TypeEngine[Any], Sequence[Any]]) -> TableValuedAlias:
    """Rows, handed over as one array for each column: name=(type, values).

    The statement reads the same for any number of rows, so SQLAlchemy compiles it and Postgres plans it once; with VALUES or IN of a
    list, each number of rows is another statement.
    """
    return _unnested(columns, [literal(list(values), ARRAY(type_)) for type_, values in columns.values()])


def parameters(**columns: type[TypeEngine[Any]] | TypeEngine[Any]) -> TableValuedAlias:
    """The same without the rows, for a statement that is built once: they come with its execution, as `lists` of them."""
    return _unnested(columns, [bindparam(f"{name}_list", type_=ARRAY(type_)) for name, type_ in columns.items()])


def lists(**columns: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """The rows of a statement with `parameters`. SQLAlchemy keeps the columns' own names for itself in an INSERT or UPDATE."""
    return {f"{name}_list": values for name, values in columns.items()}


def _unnested(columns: Mapping[str, Any], values: Sequence[Any]) -> TableValuedAlias:
    typed = [column(name, kind[0] if isinstance(kind, tuple) else kind) for name, kind in columns.items()]
    return func.unnest(*values).table_valued(*typed).render_derived()


def table_of(model: type[Any]) -> Table:
    """The bare table of a model: statements on it are Core's, and cost no look at the ORM's."""
    return cast(Table, model.__table__)


def sqlstate(error: BaseException) -> str | None:
    """The five characters of https://www.postgresql.org/docs/current/errcodes-appendix.html, where the server gave them."""
    found = error.orig if isinstance(error, DBAPIError) else error
    return getattr(found, "sqlstate", None)


def is_unavailable(error: BaseException) -> bool:
    """Whether another try may succeed with nothing changed: the server is away, full, restarting, or a lock was not had in time."""
    if isinstance(error, PoolTimeout | OSError | TimeoutError | asyncpg.InterfaceError):
        return True
    state = sqlstate(error)
    if state is None:
        return isinstance(error, DBAPIError) and (
            error.connection_invalidated
            or (isinstance(error.orig, Exception) and "Interface" in type(error.orig).__name__)
        )
    return state[:2] in {"08", "53", "57", "58"} or state in {"55P03", "40001", "40P01", "25P03"}


def is_contention(error: BaseException) -> bool:
    """Whether a lock was not had in time, or the database broke up a deadlock: the rest of the transaction is sound."""
    return sqlstate(error) in {"55P03", "40001", "40P01", "57014"}


def is_bad_value(error: BaseException) -> bool:
    """Whether a value passed our types and not the database's (class 22: NUL in text, out of range)."""
    state = sqlstate(error)
    if state is not None:
        return state.startswith("22")
    return isinstance(error, DBAPIError) and isinstance(error.orig, Exception) and "DataError" in str(error.orig)
