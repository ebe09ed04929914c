"""What the commands of `failed-events` do."""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import typer
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import Actor, command_actor
from kit.audit.entries import AuditEntry
from kit.cli.app import run_command
from kit.cli.event_view import read_event, read_facts, shorten, to_words
from kit.cli.lazy import load
from kit.cli.text import printable
from kit.messaging.entry_status import EntryStatus
from kit.messaging.inbox import InboxEntry, status_literal


class EventNotFailed(Exception):
    """An event that was to be closed does not exist or has not failed."""


async def list_failed(session: AsyncSession, inbox: type[InboxEntry], limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` failed events as JSON objects, oldest first."""
    columns = inbox.id, inbox.key, inbox.body, inbox.received_at, inbox.attempts, inbox.error
    failed = select(*columns).where(inbox.status == status_literal(EntryStatus.FAILED)).order_by(inbox.id).limit(limit)
    return [
        {
            "id": row.id,
            "received_at": row.received_at.astimezone(UTC).isoformat(timespec="seconds"),
            "event_id": row.key,
            "type": shorten(read_event(row.body).get("type")),
            **read_facts(row.body),
            "attempts": row.attempts,
            "error": shorten(row.error),
        }
        for row in await session.execute(failed)
    ]


async def close(
    session: AsyncSession,
    inbox: type[InboxEntry],
    audit_entries: type[AuditEntry],
    ids: Sequence[int],
    actor: Actor,
    reason: str,
) -> None:
    """Set failed events to processed without an effect, and record the act. Change all of them or none. Raises EventNotFailed."""
    failed = select(inbox.id, inbox.key, inbox.error).where(
        inbox.id.in_(ids), inbox.status == status_literal(EntryStatus.FAILED)
    )
    rows = (await session.execute(failed.order_by(inbox.id).with_for_update())).all()
    if others := set(ids) - {row.id for row in rows}:
        raise EventNotFailed(f"there is no failed event with the id {', '.join(map(str, sorted(others)))}")
    closed = update(inbox).where(inbox.id.in_([row.id for row in rows]))
    await session.execute(closed.values(status=EntryStatus.PROCESSED, processed_at=func.now()))
    for row in rows:
        before = {"status": EntryStatus.FAILED, "error": row.error}
        after = {"status": EntryStatus.PROCESSED}
        await audit.record(
            session, audit_entries, actor, "event.closed", row.key, before=before, after=after, reason=reason
        )


def list_failed_events(package: str, inbox_target: str, *, limit: int, as_json: bool) -> None:
    """Print the failed events of a service."""
    inbox: type[InboxEntry] = load(inbox_target)
    sessions: async_sessionmaker[AsyncSession] = load(f"{package}.db:sessions")

    async def work() -> list[dict[str, Any]]:
        async with sessions() as session:
            return await list_failed(session, inbox, limit)

    found = run_command(package, work)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join(map(_paragraph, found)) or "There are no failed events.")


def close_events(package: str, inbox_target: str, ids: Sequence[int], reason: str, *, as_json: bool) -> None:
    """Close failed events of a service, and print their number."""
    inbox: type[InboxEntry] = load(inbox_target)
    audit_entries: type[AuditEntry] = load(f"{package}.models:AuditLogEntry")
    sessions: async_sessionmaker[AsyncSession] = load(f"{package}.db:sessions")

    async def work() -> None:
        async with sessions.begin() as session:
            await close(session, inbox, audit_entries, ids, command_actor(), reason)

    try:
        run_command(package, work)
    except EventNotFailed as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    count = len(set(ids))
    if as_json:
        typer.echo(json.dumps({"count": count, "by": command_actor().id}, ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{count} events closed.", err=True)


def _paragraph(event: dict[str, Any]) -> str:
    """Return an event in a few lines."""
    lines = [
        f"{event['id']}  {event['received_at']}  {event['type'] or 'unknown type'}  {event['event_id']}",
        *(f"  {fact}" for fact in to_words(event)),
        f"  error: {event['error']}",
    ]
    return "\n".join(printable(line) for line in lines)
