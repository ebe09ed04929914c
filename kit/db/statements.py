"""Statements that are built and compiled once, for what is read or written often.

Building an expression, computing its key in SQLAlchemy's cache and converting the values of the rows take longer than sending the
statement and receiving its rows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Row
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

_dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]


class Statement:
    """A compiled statement. `sql` is its text. Each `bindparam` without a value gets one at each execution.

    Its text must not depend on the values, as the text of IN (...) and of VALUES with many rows does: pass arrays (bulk.py).

    The values of its rows are those of the driver: an enumeration is a text.
    """

    def __init__(self, statement: Executable) -> None:
        assert isinstance(statement, ClauseElement)  # noqa: S101 -- every statement is one
        compiled: Any = statement.compile(dialect=_dialect)
        self.sql: str = compiled.string
        self._binds = [_Bind(compiled.binds[name]) for name in compiled.positiontup or ()]

    def arguments(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """Return the arguments of the statement for asyncpg. Raises KeyError if one has no value."""
        return tuple(bind.constant if bind.is_constant else bind.process(values[bind.name]) for bind in self._binds)


class _Bind:
    """A parameter of a statement."""

    def __init__(self, bind: BindParameter[Any]) -> None:
        self.name = bind.key
        self._process = bind.type.dialect_impl(_dialect).bind_processor(_dialect)
        self.is_constant = not bind.required
        self.constant = self.process(bind.effective_value) if self.is_constant else None

    def process(self, value: object) -> object:
        """Return the value as asyncpg expects it."""
        return value if self._process is None else self._process(value)


async def fetch(engine: AsyncEngine, statement: Statement, values: Mapping[str, object]) -> Sequence[Row[Any]]:
    """Return the rows of a statement, on a connection of a reading engine (reading.py). Repeats it once if the connection is dead."""
    arguments = statement.arguments(values)
    try:
        return await _fetch(engine, statement.sql, arguments)
    except ConnectionError:
        pass
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return await _fetch(engine, statement.sql, arguments)


async def _fetch(engine: AsyncEngine, sql: str, arguments: tuple[object, ...]) -> Sequence[Row[Any]]:
    async with engine.connect() as connection:
        return (await connection.exec_driver_sql(sql, arguments)).all()
