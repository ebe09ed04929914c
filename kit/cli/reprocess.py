"""The command `reprocess-events`: reprocess failed events after the cause of the failure was fixed."""

import typer
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.audit.entries import AuditEntry
from kit.cli.app import run_command
from kit.cli.lazy import load
from kit.messaging.entry_status import EntryStatus
from kit.messaging.inbox import InboxEntry, status_literal

BATCH = 500


async def reprocess(session: AsyncSession, inbox: type[InboxEntry], audit_entries: type[AuditEntry]) -> int:
    """Make at most BATCH failed entries pending again, due now, with no attempts used. Record the act, and return their number."""
    # A CTE runs once. A subquery may run once for each row, and then its LIMIT has no effect.
    query = select(inbox.id).where(inbox.status == status_literal(EntryStatus.FAILED)).order_by(inbox.id).limit(BATCH)
    failed = query.with_for_update().cte("failed")
    reset = (
        update(inbox)
        .where(inbox.id.in_(select(failed.c.id)))
        .values(status=EntryStatus.PENDING, attempts=0, next_attempt_at=func.now())
    )
    ids = sorted((await session.execute(reset.returning(inbox.id))).scalars())
    if ids:
        await audit.record(
            session,
            audit_entries,
            command_actor(),
            "events.reprocessed",
            f"{ids[0]}-{ids[-1]}",
            before={"status": EntryStatus.FAILED},
            after={"status": EntryStatus.PENDING, "count": len(ids)},
        )
    return len(ids)


def reprocess_events(package: str, inbox_target: str, *, as_json: bool) -> None:
    """Reprocess all failed events, and print their number."""
    inbox: type[InboxEntry] = load(inbox_target)
    audit_entries: type[AuditEntry] = load(f"{package}.models:AuditLogEntry")
    sessions: async_sessionmaker[AsyncSession] = load(f"{package}.db:sessions")

    async def work() -> int:
        total = 0
        while True:
            async with sessions.begin() as session:
                count = await reprocess(session, inbox, audit_entries)
            total += count
            if count < BATCH:
                return total

    total = run_command(package, work)
    if as_json:
        typer.echo(f'{{"events": {total}}}')
    else:
        typer.echo(f"{total} events are pending again. The worker processes them.", err=True)
