"""The command `republish`: write events to the outbox again. Consumers ignore events that they have processed."""

import sys
from datetime import datetime

import typer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.audit.entries import AuditEntry
from kit.cli.app import run_command
from kit.cli.lazy import load
from kit.messaging.republish import Republish


def republish_events(package: str, republish_target: str, since: datetime, until: datetime, *, as_json: bool) -> None:
    """Republish the events of a period, and print their number."""
    republish: Republish = load(republish_target)
    audit_entries: type[AuditEntry] = load(f"{package}.models:AuditLogEntry")
    sessions: async_sessionmaker[AsyncSession] = load(f"{package}.db:sessions")
    show_progress = not as_json and sys.stderr.isatty()

    async def work() -> int:
        total = 0
        async with sessions.begin() as session:
            period = f"{since.isoformat()}/{until.isoformat()}"
            await audit.record(session, audit_entries, command_actor(), "events.republished", period)
        async for count in republish(since, until):
            total += count
            if show_progress:
                typer.echo(f"\r{total} events", nl=False, err=True)
        if show_progress:
            typer.echo(err=True)
        return total

    total = run_command(package, work)
    if as_json:
        typer.echo(f'{{"events": {total}}}')
    else:
        typer.echo(f"{total} events are in the outbox again. The worker publishes them.", err=True)
