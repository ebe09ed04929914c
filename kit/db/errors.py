"""Classify database errors."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


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
