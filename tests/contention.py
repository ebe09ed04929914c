"""A Postgres that breaks transactions up: a trigger raises what Postgres does for a deadlock, a conflict or a lock not had in time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

BROKEN_UP = ("40001", "40P01", "55P03")
"""serialization_failure, deadlock_detected, lock_not_available."""

When = Literal["at once", "at the commit"]

RAISE = """
CREATE OR REPLACE FUNCTION break_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'broken up by the test' USING ERRCODE = TG_ARGV[0];
END $$
"""


@asynccontextmanager
async def broken_up(
    sessions: async_sessionmaker[AsyncSession], table: str, sqlstate: str, when: When = "at once"
) -> AsyncIterator[None]:
    """Every change of a row of the table ends its transaction."""
    timing = "DEFERRABLE INITIALLY DEFERRED" if when == "at the commit" else ""
    async with sessions.begin() as session:
        await session.execute(text(RAISE))
        await session.execute(
            text(
                f"CREATE CONSTRAINT TRIGGER break_up AFTER INSERT OR UPDATE ON {table} {timing}"
                f" FOR EACH ROW EXECUTE FUNCTION break_up('{sqlstate}')"
            )
        )
    try:
        yield
    finally:
        async with sessions.begin() as session:
            await session.execute(text(f"DROP TRIGGER break_up ON {table}"))
            await session.execute(text("DROP FUNCTION break_up"))
