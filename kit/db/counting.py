"""Count rows up to a limit. Metrics and status messages do not need an exact count of millions of rows."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

COUNT_LIMIT = 10_000
Database = AsyncSession | AsyncConnection


async def count_up_to(database: Database, query: Select[*tuple[Any, ...]], limit: int = COUNT_LIMIT) -> int:
    """Return the number of rows of `query`, at most `limit`."""
    rows = query.limit(limit).subquery()
    return (await database.execute(select(func.count()).select_from(rows))).scalar_one()


async def count_and_oldest_age(
    database: Database,
    query: Select[*tuple[Any, ...]],
    column: ColumnElement[datetime] | InstrumentedAttribute[datetime],
    limit: int = COUNT_LIMIT,
) -> tuple[int, float]:
    """Return the number of rows of `query`, at most `limit`, and the age in seconds of the oldest `column` among them (0 without rows)."""
    rows = query.with_only_columns(column.label("at")).limit(limit).subquery()
    age = func.coalesce(func.extract("epoch", func.now() - func.min(rows.c.at)), 0)
    count, oldest = (await database.execute(select(func.count(), age).select_from(rows))).one()
    return count, float(oldest)
