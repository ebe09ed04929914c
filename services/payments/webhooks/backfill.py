"""The backfill: notices that never came, fetched from Paystack's Webhook Events API and stored as if they had; they settle like any other.

What is known by its identity is not fetched again, so a backfill that is done twice, or dies midway, stores nothing twice.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.messaging import inbox
from kit.messaging.notifier import Notifier
from kit.worker.shutdown import Shutdown
from services.payments.db import Topic
from services.payments.paystack import event_types
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError, Refused
from services.payments.paystack.parsing import Unreadable
from services.payments.paystack.webhook_events import PaystackWebhookEvent
from services.payments.settings import settings
from services.payments.webhooks.models import BackfillState, WebhookEvent
from services.payments.webhooks.parsing import parse_body

FIRST_PERIOD = timedelta(hours=72)
"""How long Paystack itself goes on trying to deliver a notice."""

OVERLAP = timedelta(minutes=10)
"""Looked at again each time: clocks differ, and an event may be listed late."""

UNDERWAY = timedelta(minutes=2)
"""Events younger than this are on their way; the next backfill sees them."""

LEASE = timedelta(minutes=5)
CHECK_SECONDS = 30.0
MOST_PAGES = 10_000
EVENT_HEADER = "x-backfilled-event"
"""In the headers of a notice that was fetched: Paystack's id of the event."""

backfilled_total = Counter("backfilled_webhook_events_total", "Notices that never came and were fetched")
log = structlog.get_logger("backfill")


@dataclass(slots=True)
class BackfillReport:
    """What a backfill has seen, and stored, so far. `complete`: all of the time was looked through; if not, `error` may say why."""

    seen: int = 0
    stored: int = 0
    complete: bool = False
    error: str | None = None


Progress = Callable[[BackfillReport], None]


class Backfill:
    """The loop, and one run of it for an operator. One runs at a time: a lease in the table says so."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self._paystack = paystack
        self._notifier = notifier
        self._holder = secrets.token_hex(8)

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            await self.catch_up(shutdown, timedelta(minutes=settings.payments_backfill_after_minutes))
            await shutdown.wait(CHECK_SECONDS)

    async def catch_up(
        self, shutdown: Shutdown, older_than: timedelta, progress: Progress | None = None
    ) -> BackfillReport | None:
        """Everything since the last one, where that is older than this; None where it is not, or another process is at it."""
        since = await self._claim(older_than)
        if since is None:
            return None
        until = datetime.now(UTC) - UNDERWAY
        found = await self.fetch(shutdown, since, until, progress)
        await self._release(until, found)
        return found

    async def fetch(
        self, shutdown: Shutdown, since: datetime, until: datetime, progress: Progress | None = None
    ) -> BackfillReport:
        """Store what happened between two times and is not held here; until the process ends, or Paystack does not answer."""
        found = BackfillReport()
        try:
            found.complete = await self._turn_over(shutdown, since, until, found, progress)
        except PaystackError as error:
            found.error = f"{type(error).__name__}: {error}"[:300]
            log.warning("backfill failed", reason=found.error, since=since.isoformat())
        if found.stored:
            log.warning("notices that never came were fetched", stored=found.stored, since=since.isoformat())
        return found

    async def _turn_over(
        self, shutdown: Shutdown, since: datetime, until: datetime, found: BackfillReport, progress: Progress | None
    ) -> bool:
        """Page by page. False where the process ends before the last one."""
        paystack = self._paystack
        following: str | None = None
        for _ in range(MOST_PAGES):
            if not await paystack.rate_limit.acquire("others", shutdown):
                return False
            page = await paystack.webhook_events.page(since, until, following)
            for event in await self._not_held(page.events):
                if not await paystack.rate_limit.acquire("others", shutdown):
                    return False
                found.stored += await self._store(event)
                await self._renew()
            found.seen += len(page.events) + page.unreadable
            if page.unreadable:
                log.error("events are listed without an id or a name, and passed over", count=page.unreadable)
            if progress is not None:
                progress(found)
            await self._renew()
            if page.next is None or page.next == following or not page.events:
                return True
            following = page.next
        found.error = f"more than {MOST_PAGES} pages: ask for a shorter time"
        return False

    async def _not_held(self, events: Sequence[PaystackWebhookEvent]) -> list[PaystackWebhookEvent]:
        """Those of which the list alone does not tell that we have them."""
        named = {event.id: event_types.identity_of_row(event.event, event.row_id) for event in events}
        keys = {event.id: _key_of(event.id) for event in events}
        async with self.sessions() as session:
            same = select(WebhookEvent.identity, WebhookEvent.key).where(
                or_(
                    WebhookEvent.identity.in_([name for name in named.values() if name]),
                    WebhookEvent.key.in_(keys.values()),
                )
            )
            rows = (await session.execute(same)).all()
        identities, held = {row.identity for row in rows}, {row.key for row in rows}
        return [each for each in events if named[each.id] not in identities and keys[each.id] not in held]

    async def _store(self, event: PaystackWebhookEvent) -> int:
        """One where it was not held. An event that Paystack lists and then does not know is passed over."""
        try:
            full = await self._paystack.webhook_events.fetch(event)
        except Refused as refused:
            log.warning("an event is listed but cannot be fetched", event_id=event.id, reason=str(refused)[:200])
            return 0
        row = _row(full)
        async with self.sessions.begin() as session:
            if await _is_held(session, full, row["body"]):
                return 0
            stored = len(await inbox.store(session, WebhookEvent, [row]))
        if stored:
            backfilled_total.inc()
            self._notifier.notify(Topic.WEBHOOK_EVENTS)
        return stored

    async def _claim(self, older_than: timedelta) -> datetime | None:
        """Since when to look; None where it is not time, or somebody is at it."""
        async with self.sessions.begin() as session:
            await session.execute(insert(BackfillState).values(id=1).on_conflict_do_nothing())
            free = or_(BackfillState.leased_until.is_(None), BackfillState.leased_until < func.now())
            late = or_(BackfillState.ran_at.is_(None), BackfillState.ran_at <= func.now() - older_than)
            taken = (
                update(BackfillState)
                .where(free, late)
                .values(leased_until=func.now() + LEASE, holder=self._holder)
                .returning(BackfillState.reached)
            )
            row = (await session.execute(taken)).one_or_none()
        if row is None:
            return None
        return row.reached - OVERLAP if row.reached is not None else datetime.now(UTC) - FIRST_PERIOD

    async def _renew(self) -> None:
        await self._change(leased_until=func.now() + LEASE)

    async def _release(self, until: datetime, found: BackfillReport) -> None:
        """Where it is not complete, the next one begins where this one did."""
        told: dict[str, object] = {"reached": until} if found.complete else {}
        await self._change(
            leased_until=None, holder=None, ran_at=func.now(), seen=found.seen, stored=found.stored, **told
        )

    async def _change(self, **values: object) -> None:
        async with self.sessions.begin() as session:
            ours = update(BackfillState).where(BackfillState.holder == self._holder).values(values)
            await session.execute(ours)


async def _is_held(session: AsyncSession, event: PaystackWebhookEvent, body: bytes) -> bool:
    """Whether a notice of the same happening is held.

    Two equal partial refunds look the same: there, that one of them is held counts only where Paystack saw this very one delivered.
    """
    try:
        parsed = parse_body(body)
    except Unreadable:
        return False
    if parsed.event.startswith("refund.") and not event.delivered:
        return False
    same = (
        select(WebhookEvent.id)
        .where(WebhookEvent.identity == event_types.identity(parsed.event, parsed.data, body))
        .limit(1)
    )
    return (await session.execute(same)).scalar_one_or_none() is not None


def _row(event: PaystackWebhookEvent) -> dict[str, Any]:
    """As the webhook's door would have stored it: under its body's hash; a refund's, and what has no body, under Paystack's id."""
    body = event.body or json.dumps({"event": event.event, "data": {"id": event.row_id}}).encode()
    by_id = event.body is None or event.event.startswith("refund.")
    key = _key_of(event.id) if by_id else hashlib.sha256(body).hexdigest()
    return {"key": key, "body": body, "headers": {EVENT_HEADER: event.id}}


def _key_of(event_id: str) -> str:
    return f"event-{event_id}"
