"""Remove personal data from stored events: an inbox keeps each event for 30 days to recognize duplicates, but nobody reads it again."""

from collections.abc import Iterable

from sqlalchemy import LargeBinary, Text, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.events import AccountChanged, AccountEvent, AccountMerged
from kit.db.bulk import array_parameters, array_values, table_of
from kit.messaging.inbox import InboxEntry


async def forget_persons(session: AsyncSession, inbox: type[InboxEntry], events: Iterable[AccountEvent]) -> None:
    """Remove e-mail address and name from the stored bodies of events. For handlers that have applied these events."""
    bodies = {
        str(event.id): event.without_person().model_dump_json(exclude_none=True).encode()
        for event in events
        if isinstance(event, AccountChanged | AccountMerged)
    }
    if bodies:
        table, rows = table_of(inbox), array_parameters(key=Text, body=LargeBinary)
        replaced = update(table).where(table.c.key == rows.c.key).values(body=rows.c.body)
        await session.execute(replaced, array_values(key=list(bodies), body=list(bodies.values())))
