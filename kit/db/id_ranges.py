"""Ranges of ids for periods: ids grow with time, so a query for a period can use the primary key and read nothing outside it.

A BRIN index on the time does not help with such a query if it has to return the newest rows first: Postgres then reads and sorts all rows
of the period, or walks the primary key through all rows after it.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, DateTime, Interval, bindparam, literal, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from kit.db.bulk import table_of

SEARCH = """
WITH RECURSIVE search (low, high) AS (
    SELECT coalesce(min({key}), 0), coalesce(max({key}), 0) + 1 FROM {table}
    UNION ALL
    SELECT CASE WHEN found.{time} < :moment THEN found.{key} + 1 ELSE search.low END,
           CASE WHEN found.{time} < :moment THEN search.high ELSE (search.low + search.high) / 2 END
    FROM search LEFT JOIN LATERAL (
        SELECT {key}, {time} FROM {table} WHERE {key} >= (search.low + search.high) / 2 ORDER BY {key} LIMIT 1
    ) AS found ON true
    WHERE search.low < search.high
)
SELECT max(low) FROM search WHERE low >= high
"""
"""Finds by binary search the smallest id whose time is `:moment` or later, or the greatest id plus 1."""

TOLERANCE = timedelta(minutes=1)
"""An id is assigned at the insert, but the default of the time is the start of the transaction. So the order of ids can differ from the
order of the times, but only for rows that were inserted within this time of each other."""


LAST_ID = 2**63 - 1
"""The greatest value of a bigint."""


async def ids_in_period(
    session: AsyncSession,
    key: InstrumentedAttribute[int],
    time: InstrumentedAttribute[datetime],
    since: datetime | None,
    until: datetime | None,
) -> tuple[int, int]:
    """Return the first and the last id of a range with all rows whose `time` is in [since, until). `key` is the column of the ids.

    The range also has a few rows that are up to TOLERANCE outside the period. None is unlimited. The range is empty if the last id is
    smaller than the first.
    """
    first, last = 0, LAST_ID
    if since is not None:
        first = await _first_id_since(session, key, time, since - TOLERANCE)
    if until is not None:
        last = await _first_id_since(session, key, time, until + TOLERANCE) - 1
    return first, last


def exactly_in_period(
    time: InstrumentedAttribute[datetime], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    """Return the conditions that exclude the few rows of the range whose `time` is outside the period.

    They compare `time + 0`: with `time` alone, Postgres might use a BRIN index on it, and read whole groups of pages.
    """
    exact_time: ColumnElement[datetime] = time + literal(timedelta(0), Interval)
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(exact_time >= since)
    if until is not None:
        conditions.append(exact_time < until)
    return conditions


async def in_period(
    session: AsyncSession,
    key: InstrumentedAttribute[int],
    time: InstrumentedAttribute[datetime],
    since: datetime | None,
    until: datetime | None,
) -> list[ColumnElement[bool]]:
    """Return the conditions for rows whose `time` is in [since, until), with the range of their ids `key`. None is unlimited."""
    first, last = await ids_in_period(session, key, time, since, until)
    conditions = exactly_in_period(time, since, until)
    if since is not None:
        conditions.append(key >= first)
    if until is not None:
        conditions.append(key <= last)
    return conditions


async def _first_id_since(
    session: AsyncSession, key: InstrumentedAttribute[int], time: InstrumentedAttribute[datetime], moment: datetime
) -> int:
    """Return the smallest id at `moment` or later, or the greatest id plus 1. One statement, which reads one row for each step."""
    statement = SEARCH.format(table=table_of(time.parent.class_).name, key=key.name, time=time.name)
    search = text(statement).bindparams(bindparam("moment", type_=DateTime(timezone=True)))
    return int((await session.execute(search, {"moment": moment})).scalar_one())
