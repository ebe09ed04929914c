"""Events that failed and wait for a person are given another try, once what they failed of is mended."""

from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from kit.cli.app import run_command
from kit.db.engine import create_sessionmaker
from kit.messaging.inbox import InboxEntry

BATCH = 500


async def reprocess(session: AsyncSession, inbox: type[InboxEntry]) -> int:
    """At most BATCH of them are pending again, with all their tries before them. How many it were."""
    # As a CTE it is run once: a plan may run a subquery again for each row, and its limit limits nothing then.
    some = select(inbox.id).where(inbox.status == "failed").order_by(inbox.id).limit(BATCH).with_for_update()
    failed = some.cte("failed")
    again = (
        update(inbox)
        .where(inbox.id.in_(select(failed.c.id)))
        .values(status="pending", attempts=0, next_attempt_at=func.now())
    )
    found = await session.execute(again.returning(inbox.id))
    return len(found.all())


def reprocess_command(service: str, inbox: type[InboxEntry], engine: AsyncEngine) -> Callable[..., None]:
    """The operator's `reprocess-events`."""
    sessions = create_sessionmaker(engine)

    async def work() -> int:
        total = 0
        while True:
            async with sessions.begin() as session:
                count = await reprocess(session, inbox)
            total += count
            if count < BATCH:
                return total

    def give_another_try(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        """Give events that wait for a person another try. What they have brought about is not brought about again."""
        total = run_command(service, engine, work)
        if as_json:
            typer.echo(f'{{"events": {total}}}')
        else:
            typer.echo(f"{total} events are pending again; the worker handles them", err=True)

    return give_another_try
