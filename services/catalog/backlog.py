"""What is late: events that have no effect yet, and events that have not left."""

from sqlalchemy import func, select

from kit.messaging import outbox
from services.catalog.db import sessions
from services.catalog.models import InboxRow, OutboxRow

LATE_SECONDS = 60
MOST_COUNTED = 10_000


async def check() -> str | None:
    """For readiness: None, or what is late. An event that failed and waits for its next try is not; it is a metric."""
    overdue = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, LATE_SECONDS)
    late_entries = select(InboxRow.id).where(InboxRow.status == "pending", InboxRow.next_attempt_at < overdue)
    async with sessions() as session:
        entries = (
            await session.execute(select(func.count()).select_from(late_entries.limit(MOST_COUNTED).subquery()))
        ).scalar_one()
        events, age = await outbox.backlog(session, OutboxRow)
    late = []
    if entries:
        late.append(f"{entries} events are overdue for a try")
    if age > LATE_SECONDS:
        late.append(f"{events} events wait for the broker, the oldest for {age:.0f} s")
    return "; ".join(late) or None
