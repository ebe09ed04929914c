"""List stored webhook events, and reprocess them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.bulk import table_of
from kit.db.id_ranges import in_period
from kit.messaging.entry_status import EntryStatus
from services.payments.errors import WebhookEventNotFailed
from services.payments.models import AuditLogEntry
from services.payments.webhooks.models import WebhookEvent

REPROCESS_BATCH = 500
DESCRIBED_IDS = 100
MAX_REPROCESSED = 10_000
"""The maximum number of events that one call of `reprocess` makes due. The call also returns where the next call continues."""


class WebhookEventRow(NamedTuple):
    """A webhook event without its headers and without its body, which can be as large as 1 MiB."""

    id: int
    event: str | None
    reference: str | None
    identity: str | None
    status: EntryStatus
    outcome: str | None
    error: str | None
    attempts: int
    received_at: datetime
    next_attempt_at: datetime
    processed_at: datetime | None


COLUMNS = tuple(table_of(WebhookEvent).c[name] for name in WebhookEventRow._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Select webhook events. None selects all; `since` is inclusive, `until` is exclusive."""

    ids: Sequence[int] | None = None
    status: EntryStatus | None = None
    event: str | None = None
    reference: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def describe(self) -> dict[str, object]:
        """Return what is selected as JSON for the audit log, with at most 100 ids."""
        values = {"status": self.status, "event": self.event, "reference": self.reference}
        times = {"from": self.since, "to": self.until}
        return {
            **({"ids": list(self.ids[:DESCRIBED_IDS])} if self.ids is not None else {}),
            **{name: value for name, value in values.items() if value is not None},
            **{name: time.isoformat() for name, time in times.items() if time is not None},
        }

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions of a WHERE clause, without the period."""
        conditions: list[ColumnElement[bool]] = []
        if self.ids is not None:
            conditions.append(WebhookEvent.id.in_(self.ids))
        if self.status is not None:
            conditions.append(WebhookEvent.status == self.status)
        if self.event is not None:
            conditions.append(WebhookEvent.event == self.event)
            if self.event != "charge.success":
                # Repeats the condition of the partial index on `event`, so that the planner can use the index.
                conditions.append(WebhookEvent.event != "charge.success")
        if self.reference is not None:
            conditions.append(WebhookEvent.reference == self.reference)
        return conditions


async def list_page(
    session: AsyncSession, selected: Filter, limit: int, before: int | None = None
) -> list[WebhookEventRow]:
    """Return up to `limit` webhook events, newest first; with `before`, only those with a smaller id."""
    conditions = await _indexed_conditions(session, selected)
    query = select(*COLUMNS).where(*conditions).order_by(WebhookEvent.id.desc()).limit(limit)
    rows = await session.execute(query if before is None else query.where(WebhookEvent.id < before))
    return [WebhookEventRow(*row) for row in rows]


async def find(session: AsyncSession, event_id: int) -> WebhookEvent | None:
    """Return a webhook event with its body and headers, or None."""
    return (await session.execute(select(WebhookEvent).where(WebhookEvent.id == event_id))).scalar_one_or_none()


async def reprocess(
    sessions: async_sessionmaker[AsyncSession],
    selected: Filter,
    actor: Actor,
    after: int = 0,
    limit: int = MAX_REPROCESSED,
) -> tuple[int, int | None]:
    """Make up to `limit` webhook events with an id greater than `after` due for processing, the smallest ids first.

    Return how many were made due, and the id after which the next call continues, or None if there are no more. Events that are due
    already, or are locked by a worker, are skipped. Processing is idempotent: an effect that an event had is not repeated. Each batch has
    an audit entry.
    """
    count = 0
    async with sessions() as session:
        conditions = await _indexed_conditions(session, selected)
    while count < limit:
        async with sessions.begin() as session:
            batch = await _reprocess_batch(session, conditions, after, min(REPROCESS_BATCH, limit - count))
            if batch:
                subject = f"{min(batch)}-{max(batch)}" if len(batch) > 1 else batch[0]
                made_due = {"count": len(batch), "selected": selected.describe()}
                await audit.record(session, AuditLogEntry, actor, "webhook_events.reprocessed", subject, after=made_due)
        count += len(batch)
        if len(batch) < REPROCESS_BATCH:
            return count, (None if count < limit else max(batch, default=None))
        after = max(batch)
    return count, after


async def close(session: AsyncSession, ids: Sequence[int], actor: Actor, reason: str) -> None:
    """Set failed webhook events to processed, because an operator has dealt with what they report. Change all of them or none.

    The outcome records who closed them and why. Raises WebhookEventNotFailed.
    """
    failed = select(WebhookEvent.id).where(WebhookEvent.id.in_(ids), WebhookEvent.status == EntryStatus.FAILED)
    locked = failed.order_by(WebhookEvent.id).with_for_update().cte("locked")
    closed = update(WebhookEvent).where(WebhookEvent.id.in_(select(locked.c.id))).returning(WebhookEvent.id)
    values = {
        "status": EntryStatus.PROCESSED,
        "processed_at": func.now(),
        "outcome": f"closed by {actor.id}: {reason}",
    }
    others = set(ids) - set((await session.execute(closed.values(values))).scalars())
    if others:
        raise WebhookEventNotFailed(
            f"There is no failed webhook event with the id {', '.join(map(str, sorted(others)))}."
        )
    for event_id in sorted(set(ids)):
        await audit.record(
            session,
            AuditLogEntry,
            actor,
            "webhook_event.closed",
            event_id,
            before={"status": EntryStatus.FAILED},
            after={"status": EntryStatus.PROCESSED},
            reason=reason,
        )


async def _reprocess_batch(
    session: AsyncSession, conditions: Sequence[ColumnElement[bool]], after: int, limit: int
) -> list[int]:
    not_due = (WebhookEvent.status != EntryStatus.PENDING) | (WebhookEvent.next_attempt_at > func.now())
    batch = (
        select(WebhookEvent.id)
        .where(*conditions, not_due, WebhookEvent.id > after)
        .order_by(WebhookEvent.id)
        .limit(limit)
    )
    # A CTE runs once. A subquery of IN may run again for each row, and then its limit has no effect.
    locked = batch.with_for_update(skip_locked=True).cte("locked")
    due = (
        update(WebhookEvent)
        .where(WebhookEvent.id.in_(select(locked.c.id)))
        .values(status=EntryStatus.PENDING, attempts=0, next_attempt_at=func.now(), processed_at=None)
        .returning(WebhookEvent.id)
    )
    return list((await session.execute(due)).scalars())


async def _indexed_conditions(session: AsyncSession, selected: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter, and the range of ids in its period."""
    time = WebhookEvent.received_at
    return [
        *selected.conditions(),
        *await in_period(session, WebhookEvent.id, time, selected.since, selected.until),
    ]
