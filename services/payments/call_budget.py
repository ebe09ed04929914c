"""The budget of calls to Paystack in the database: one row for each limit, shared by all processes (paystack/shared_budget.py)."""

from datetime import timedelta

from sqlalchemy import ColumnElement, Float, case, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from services.payments.models import CallBudget
from services.payments.paystack.shared_budget import Grant

ROUNDING = 1e-6
"""Slightly less than one call counts as one, because of rounding errors."""

LONGEST_DEBT_SECONDS = 60.0
"""Calls that cannot wait can make the number of tokens negative, at most by the calls of this time: Paystack's limits apply to a minute,
so older calls do not matter. Without this bound, an hour with many payers would stop the background jobs for hours."""

UNUSED_AFTER = timedelta(days=1)


class DatabaseCounter:
    """A token bucket for each limit, changed by one statement. The time is that of the database, so processes need no equal clocks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def take(
        self, limit: int, calls: int, *, made: int, per_second: float, burst: float, pause_seconds: float
    ) -> Grant:
        """Subtract the calls that were made, and grant up to `calls`. Raises if the database is unavailable."""
        now = func.clock_timestamp()
        rows = insert(CallBudget).values(
            call_limit=limit,
            tokens=max(-LONGEST_DEBT_SECONDS * per_second, burst - made),
            granted=0,
            counted_at=now,
            paused_until=now + _interval(pause_seconds),
        )
        # Of two transactions that wait for the row, the one with the earlier time may be the second.
        elapsed = func.greatest(0, func.extract("epoch", now - CallBudget.counted_at))
        before = func.least(burst, CallBudget.tokens + cast(elapsed, Float) * per_second)
        tokens = func.greatest(-LONGEST_DEBT_SECONDS * per_second, before - made)
        paused_until = func.greatest(CallBudget.paused_until, now + _interval(pause_seconds))
        left = func.floor(tokens + ROUNDING)
        granted = case((paused_until > now, 0), else_=func.greatest(0, func.least(calls, left)))
        statement = rows.on_conflict_do_update(
            index_elements=["call_limit"],
            set_={
                "tokens": tokens - granted,
                "granted": granted,
                "counted_at": func.greatest(CallBudget.counted_at, now),
                "paused_until": paused_until,
            },
        ).returning(
            CallBudget.granted,
            CallBudget.tokens,
            func.extract("epoch", CallBudget.paused_until - func.clock_timestamp()),
        )
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            granted_calls, tokens_left, pause = (await connection.execute(statement)).one()
        seconds = max(float(pause), (1 - tokens_left) / per_second)
        return Grant(int(granted_calls), seconds)


async def prune(session: AsyncSession, limit: int) -> int:
    """Delete up to `limit` budgets that were not used for a day. Return their number."""
    unused = (
        select(CallBudget.call_limit)
        .where(CallBudget.counted_at < func.now() - UNUSED_AFTER)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("unused")
    )
    deleted = delete(CallBudget).where(CallBudget.call_limit.in_(select(unused.c.call_limit)))
    return len((await session.execute(deleted.returning(CallBudget.call_limit))).all())


def _interval(seconds: float) -> ColumnElement[timedelta]:
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)
