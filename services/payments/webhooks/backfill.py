"""The backfill: fetch missed webhook events from Paystack's Webhook Events API, and store them like received events.

Events are recognized by their identity or by Paystack's id, so a backfill that runs twice, or ends midway, stores nothing twice.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.log_throttling import HOUR, log_failure, log_throttled
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
from services.payments.webhooks.backfill_state import BackfillLease
from services.payments.webhooks.models import WebhookEvent
from services.payments.webhooks.parsing import parse_body

FIRST_PERIOD = timedelta(hours=72)
"""The period of the first backfill: as long as Paystack retries the delivery of an event."""

OVERLAP = timedelta(minutes=10)
"""Each run reads the end of the previous period again: clocks differ, and Paystack may list an event late."""

IN_DELIVERY = timedelta(minutes=2)
"""Events of the last two minutes are left to the next run, because Paystack may still deliver them."""

CHECK_SECONDS = 30.0
MAX_PAGES = 10_000
EVENT_HEADER = "x-backfilled-event"
"""The header that the backfill stores with an event. Its value is Paystack's id of the event."""

backfilled_total = Counter("backfilled_webhook_events_total", "Webhook events that were fetched by the backfill")
log = structlog.get_logger("backfill")


@dataclass(slots=True)
class BackfillReport:
    """The progress of a backfill. `checked`: number of events that Paystack listed. `stored`: number of missing events that were stored.

    `complete`: the whole period was read. `error`: why it was not; None if it was, or if a shutdown interrupted the backfill.
    """

    checked: int = 0
    stored: int = 0
    complete: bool = False
    error: str | None = None


Progress = Callable[[BackfillReport], None]


class Backfill:
    """Runs the backfill: every few minutes as a background job, or once for an operator."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self._paystack = paystack
        self._notifier = notifier
        self._lease = BackfillLease(sessions)

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            await self.catch_up(shutdown, timedelta(minutes=settings.payments_backfill_after_minutes))
            await shutdown.wait(CHECK_SECONDS)

    async def catch_up(
        self, shutdown: Shutdown, min_interval: timedelta, progress: Progress | None = None
    ) -> BackfillReport | None:
        """Backfill the time since the last complete run.

        Return None if the last run ended less than `min_interval` ago, or if another process runs the backfill.
        """
        if not await self._lease.take(min_interval):
            return None
        complete_until = await self._lease.complete_until()
        since = datetime.now(UTC) - FIRST_PERIOD if complete_until is None else complete_until - OVERLAP
        until = datetime.now(UTC) - IN_DELIVERY
        report = await self.backfill_period(shutdown, since, until, progress)
        await self._lease.release(
            complete_until=until if report.complete else None, checked=report.checked, stored=report.stored
        )
        return report

    async def backfill_period(
        self, shutdown: Shutdown, since: datetime, until: datetime, progress: Progress | None = None
    ) -> BackfillReport:
        """Fetch the events of a period, and store the missing ones. Ends early on shutdown, or after a failed call to Paystack."""
        report = BackfillReport()
        try:
            report.complete = await self._backfill_pages(shutdown, since, until, report, progress)
        except PaystackError as error:
            report.error = f"{type(error).__name__}: {error}"[:300]
        if report.error is not None:
            log_throttled(log.warning, "backfill failed", about=None, every=HOUR, reason=report.error, since=str(since))
        if report.stored:
            log.warning("missed webhook events fetched", stored=report.stored, since=since.isoformat())
        return report

    async def _backfill_pages(
        self, shutdown: Shutdown, since: datetime, until: datetime, report: BackfillReport, progress: Progress | None
    ) -> bool:
        """Read all pages of the list, and store the missing events. Return False if there are too many pages, or on shutdown."""
        paystack = self._paystack
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            if not await paystack.rate_limit.acquire("other_calls", shutdown):
                return False
            page = await paystack.webhook_events.page(since, until, cursor)
            for event in await self._select_possibly_missing(page.events):
                if not await paystack.rate_limit.acquire("other_calls", shutdown):
                    return False
                report.stored += await self._fetch_and_store(event)
                await self._lease.renew()
            report.checked += len(page.events) + page.unreadable
            if page.unreadable:
                skipped = "listed webhook events skipped: no id or no name"
                log_throttled(log.error, skipped, about=None, every=HOUR, count=page.unreadable)
            if progress is not None:
                progress(report)
            await self._lease.renew()
            if page.next is None or page.next == cursor or not page.events:
                return True
            cursor = page.next
        report.error = f"the period has more than {MAX_PAGES} pages of events: choose a shorter one"
        return False

    async def _select_possibly_missing(self, events: Sequence[PaystackWebhookEvent]) -> list[PaystackWebhookEvent]:
        """Return the listed events that are possibly not stored here. `_is_stored` decides with the body, which the list lacks."""
        identities = {
            event.id: event_types.identity_from_object_id(event.type_name, event.object_id) for event in events
        }
        keys = {event.id: _key_from_id(event.id) for event in events}
        async with self.sessions() as session:
            query = select(WebhookEvent.identity, WebhookEvent.key).where(
                or_(
                    WebhookEvent.identity.in_([identity for identity in identities.values() if identity]),
                    WebhookEvent.key.in_(keys.values()),
                )
            )
            rows = (await session.execute(query)).all()
        stored_identities, stored_keys = {row.identity for row in rows}, {row.key for row in rows}
        return [
            event
            for event in events
            if identities[event.id] not in stored_identities and keys[event.id] not in stored_keys
        ]

    async def _fetch_and_store(self, listed: PaystackWebhookEvent) -> int:
        """Fetch a listed event with its body, and store it. Return 1 if it was stored, 0 if it is stored already or cannot be fetched."""
        try:
            event = await self._paystack.webhook_events.fetch(listed)
        except Refused as refused:
            log_line = log.bind(event_id=listed.id).warning
            log_failure(log_line, "listed webhook event not fetched", refused, about=listed.id, every=HOUR)
            return 0
        body = event.body or json.dumps({"event": event.type_name, "data": {"id": event.object_id}}).encode()
        message = inbox.Message(_key(event, body), body, {EVENT_HEADER: event.id})
        async with self.sessions.begin() as session:
            if await _is_stored(session, event, body):
                return 0
            stored = len(await inbox.store(session, WebhookEvent, [message]))
        if stored:
            backfilled_total.inc()
            self._notifier.notify(Topic.WEBHOOK_EVENTS)
        return stored


async def _is_stored(session: AsyncSession, event: PaystackWebhookEvent, body: bytes) -> bool:
    """Return True if an event with the same identity is stored.

    Two equal partial refunds have the same identity. So a refund event counts as stored only if Paystack reports this one as delivered.
    """
    try:
        parsed = parse_body(body)
    except Unreadable:
        return False
    if parsed.type_name.startswith("refund.") and not event.delivered:
        return False
    identity = event_types.identity(parsed.type_name, parsed.data, body)
    query = select(WebhookEvent.id).where(WebhookEvent.identity == identity).limit(1)
    return (await session.execute(query)).scalar_one_or_none() is not None


def _key(event: PaystackWebhookEvent, body: bytes) -> str:
    """Return the key under which the intake would store the event, or Paystack's id for refund events and events without a body."""
    by_id = event.body is None or event.type_name.startswith("refund.")
    return _key_from_id(event.id) if by_id else hashlib.sha256(body).hexdigest()


def _key_from_id(event_id: str) -> str:
    return f"event-{event_id}"
