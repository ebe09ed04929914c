"""The operator's command `reprocess-events`: reprocess failed events after the cause of the failure was fixed."""

from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.audit.entries import AuditEntry
from kit.cli.app import run_command
from kit.db.engine import create_sessionmaker
from kit.messaging.inbox import EntryStatus, InboxEntry, status_literal

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


def reprocess_command(
    service: str, inbox: type[InboxEntry], audit_entries: type[AuditEntry], engine: AsyncEngine
) -> Callable[..., None]:
    """Return the function of the command `reprocess-events`."""
    sessions = create_sessionmaker(engine)

    async def work() -> int:
        total = 0
        while True:
            async with sessions.begin() as session:
                count = await reprocess(session, inbox, audit_entries)
            total += count
            if count < BATCH:
                return total

    def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        """Reprocess failed events. Idempotent: the effect of an event is never applied twice."""
        total = run_command(service, engine, work)
        if as_json:
            typer.echo(f'{{"events": {total}}}')
        else:
            typer.echo(f"{total} events are pending again. The worker processes them.", err=True)

    return command
