"""Classify database errors."""

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a database error (https://www.postgresql.org/docs/current/errcodes-appendix.html), or None if it has none."""
    found = error.orig if isinstance(error, DBAPIError) else error
    return getattr(found, "sqlstate", None)


def may_succeed_later(error: BaseException) -> bool:
    """Return True if a retry may succeed.

    The server is unreachable, is restarting, is out of resources or has an I/O error; or a lock, a statement or an idle transaction timed
    out; or Postgres ended a deadlock or a serialization conflict.
    """
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
    """Return True if a lock or a statement timed out, or Postgres ended a deadlock or a serialization conflict.

    The transaction can continue after a rollback to a savepoint.
    """
    return sqlstate(error) in {"55P03", "40001", "40P01", "57014"}


def is_bad_value(error: BaseException) -> bool:
    """Return True if the database refused a value that passed our validation (class 22, such as NUL in text or a number out of range)."""
    state = sqlstate(error)
    if state is not None:
        return state.startswith("22")
    return isinstance(error, DBAPIError) and isinstance(error.orig, Exception) and "DataError" in str(error.orig)
