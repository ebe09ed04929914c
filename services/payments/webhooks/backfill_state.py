"""The state of the backfill in the database: which process runs it, and up to which time it has checked all events."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from services.payments.webhooks.models import BackfillState

LEASE = timedelta(minutes=5)


class BackfillLease:
    """A lease, so that only one process runs the backfill. After a crash of that process, the lease expires."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._holder = secrets.token_hex(8)

    async def take(self, min_interval: timedelta) -> bool:
        """Take the lease. Return False if another process has it, or if the last run ended less than `min_interval` ago."""
        async with self._sessions.begin() as session:
            await session.execute(insert(BackfillState).values(id=1).on_conflict_do_nothing())
            free = or_(BackfillState.leased_until.is_(None), BackfillState.leased_until < func.now())
            due = or_(BackfillState.ran_at.is_(None), BackfillState.ran_at <= func.now() - min_interval)
            taken = (
                update(BackfillState)
                .where(free, due)
                .values(leased_until=func.now() + LEASE, holder=self._holder)
                .returning(BackfillState.id)
            )
            return (await session.execute(taken)).one_or_none() is not None

    async def complete_until(self) -> datetime | None:
        """Return the time up to which all events have been checked, or None before the first complete run."""
        async with self._sessions() as session:
            return (await session.execute(select(BackfillState.complete_until))).scalar_one()

    async def renew(self) -> None:
        """Extend the lease, if this process still has it."""
        await self._update(leased_until=func.now() + LEASE)

    async def release(self, *, complete_until: datetime | None, checked: int, stored: int) -> None:
        """End the lease and record the run. `complete_until` is None after an incomplete run: the next run checks the same period again."""
        complete: dict[str, object] = {} if complete_until is None else {"complete_until": complete_until}
        await self._update(
            leased_until=None, holder=None, ran_at=func.now(), checked=checked, stored=stored, **complete
        )

    async def _update(self, **values: object) -> None:
        async with self._sessions.begin() as session:
            own = update(BackfillState).where(BackfillState.holder == self._holder)
            await session.execute(own.values(values))
