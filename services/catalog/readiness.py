"""The readiness check of the worker's backlog: overdue inbox entries and unpublished events."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.counting import count_up_to
from kit.messaging import outbox
from kit.messaging.entry_status import EntryStatus
from services.catalog.models import InboxRow, OutboxRow

OVERDUE_SECONDS = 60


async def check_backlog(sessions: async_sessionmaker[AsyncSession]) -> str | None:
    """Return a reason if inbox entries or outbox events are overdue by more than OVERDUE_SECONDS, else None.

    An entry that waits for its next attempt after a failure is not overdue. The metric `inbox_unprocessed_entries` counts all pending and
    failed entries.
    """
    overdue = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, OVERDUE_SECONDS)
    entries = select(InboxRow.id).where(InboxRow.status == EntryStatus.PENDING, InboxRow.next_attempt_at < overdue)
    async with sessions() as session:
        overdue_entries = await count_up_to(session, entries)
        events, age = await outbox.backlog(session, OutboxRow)
    reasons = []
    if overdue_entries:
        reasons.append(f"{overdue_entries} events are overdue for processing")
    if age > OVERDUE_SECONDS:
        reasons.append(f"{events} events are not published yet, the oldest is {age:.0f} s old")
    return "; ".join(reasons) or None
