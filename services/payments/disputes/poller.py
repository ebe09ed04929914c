"""The dispute poller: poll disputes with GET /dispute/:id until they are finished, and search for those whose webhook event was lost."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.after_commit import after_commit
from kit.log_throttling import HOUR, log_failure, log_throttled
from kit.messaging.notifier import Notifier
from kit.observability.tracing import continue_trace
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments.db import Topic
from services.payments.disputes import records
from services.payments.models import UNPAID, Dispute, DisputeStatus, Payment
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError, Refused
from services.payments.refunds.chargebacks import find_chargeback, has_requested_refund
from services.payments.refunds.models import FINAL

POLL_SECONDS = 1.0
LEASE = timedelta(seconds=60)
BACKOFF = Backoff(first=30, longest=3600)
DUE_SOON = timedelta(hours=4)
"""If less than this time is left to respond, a dispute without a response is logged as critical, at most once an hour."""

CHARGEBACK_TIMEOUT = timedelta(days=30)
"""How long after its resolution a lost dispute is polled, if Paystack never reports its chargeback."""

SEARCH_SECONDS = 600.0
SEARCH_BACKOFF = Backoff(first=10, longest=SEARCH_SECONDS)
MAX_PAGES = 20

log = structlog.get_logger("disputes")


class DisputePoller:
    """The background job that polls disputes, and every ten minutes searches for disputes that are not recorded."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self.notifier = notifier
        self._wakeup = notifier.subscribe(Topic.DISPUTES)

    async def run(self, shutdown: Shutdown) -> None:
        clock = asyncio.get_running_loop().time
        next_search_at, failed_searches = clock(), 0
        while not shutdown.requested:
            # The search has its own `try`, so that a search that always fails does not prevent the polls.
            if clock() >= next_search_at:
                try:
                    await self.search(shutdown)
                    next_search_at, failed_searches = clock() + SEARCH_SECONDS, 0
                except PaystackError as error:
                    log_failure(log.warning, "dispute search failed", error)
                    next_search_at = clock() + SEARCH_BACKOFF.seconds(failed_searches)
                    failed_searches += 1
            try:
                while await self.poll_due(shutdown):
                    pass
            except PaystackError as error:
                log_failure(log.warning, "dispute poll failed", error)
            await shutdown.wait(POLL_SECONDS, self._wakeup)

    async def search(self, shutdown: Shutdown) -> None:
        """Record the disputes that wait for our response, in case their webhook events were lost. Raises PaystackError."""
        for page in range(1, MAX_PAGES + 1):
            if not await self.paystack.rate_limit.acquire("other_calls", shutdown):
                return
            reported = await self.paystack.disputes.list_with_status(DisputeStatus.AWAITING_MERCHANT_FEEDBACK, page)
            async with self.sessions.begin() as session:
                await records.record(session, reported)
            if not reported:
                return
            self.notifier.wake_local(Topic.OUTBOX, Topic.REFUNDS)

    async def poll_due(self, shutdown: Shutdown) -> bool:
        """Poll one dispute that is due for a poll. Return False if there is none, or on shutdown.

        Raises PaystackError; then the dispute is due for a poll again when the lease ends.
        """
        taken = await self._take_due()
        if taken is None:
            return False
        dispute_id, attempts, leased_until = taken
        if not await self.paystack.rate_limit.acquire("other_calls", shutdown):
            return False
        try:
            reported = await self.paystack.disputes.fetch(dispute_id)
        except Refused as refused:
            message = "dispute unknown to Paystack"
            log_failure(log.error, message, refused, about=dispute_id, every=HOUR, dispute=dispute_id)
            reported = None
        async with self.sessions.begin() as session:
            if reported is not None and reported.id == dispute_id:
                await records.apply(session, reported)
            await self._schedule_next(session, dispute_id, attempts, leased_until)
        self.notifier.wake_local(Topic.OUTBOX, Topic.REFUNDS)
        return True

    async def _take_due(self) -> tuple[int, int, datetime] | None:
        """Take a lease of a dispute that is due for a poll. Return its id, the number of earlier polls and the lease's end, or None."""
        due = take_due(
            Dispute.id,
            Dispute.attempts,
            Dispute.next_attempt_at,
            key=Dispute.id,
            due_at=Dispute.next_attempt_at,
            attempts=Dispute.attempts,
            lease=LEASE,
        )
        async with self.sessions.begin() as session:
            row = (await session.execute(due)).one_or_none()
        return None if row is None else (row.id, row.attempts - 1, row.next_attempt_at)

    async def _schedule_next(
        self, session: AsyncSession, dispute_id: int, attempts: int, leased_until: datetime
    ) -> None:
        """Schedule the next poll with exponential backoff, or stop polling a finished dispute.

        A dispute without a response is polled at its deadline at the latest. If a webhook event has scheduled a poll meanwhile, that stays.
        """
        dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one()
        now = datetime.now(UTC)
        next_at: datetime | None = now + timedelta(seconds=BACKOFF.seconds(attempts))
        if await _is_finished(session, dispute, now):
            next_at = None
        elif _awaits_response(dispute):
            if now < dispute.due_at < now + DUE_SOON:
                await _log_due_soon(session, dispute)
            if next_at is not None and now < dispute.due_at < next_at:
                next_at = dispute.due_at
        await session.execute(
            update(Dispute)
            .where(Dispute.id == dispute_id, Dispute.next_attempt_at == leased_until)
            .values(next_attempt_at=next_at)
        )


def _awaits_response(dispute: Dispute) -> bool:
    return dispute.lost is None and dispute.status != DisputeStatus.AWAITING_BANK_FEEDBACK


async def _log_due_soon(session: AsyncSession, dispute: Dispute) -> None:
    query = select(Payment.order_id, Payment.traceparent).where(Payment.id == dispute.payment_id)
    payment = (await session.execute(query)).one_or_none()
    with continue_trace(payment.traceparent if payment else None):
        after_commit(
            session,
            log_throttled,
            log.critical,
            "dispute due soon: Paystack accepts it on our behalf unless we respond",
            about=dispute.id,
            every=HOUR,
            dispute=dispute.id,
            reference=dispute.reference,
            order_id=str(payment.order_id) if payment else None,
            due_at=dispute.due_at.isoformat(),
        )


async def _is_finished(session: AsyncSession, dispute: Dispute, now: datetime) -> bool:
    """Return True if the dispute need not be polled any more.

    An open dispute is not finished. A resolved dispute is finished if it is won, has no payment, or was resolved longer than
    CHARGEBACK_TIMEOUT ago. Any other lost dispute is finished when its chargeback is final or listed by Paystack, or when no chargeback
    can be recorded, because nothing is left of the payment.
    """
    if dispute.lost is None:
        return False
    if not dispute.lost or dispute.payment_id is None or now - (dispute.resolved_at or now) > CHARGEBACK_TIMEOUT:
        return True
    chargeback = await find_chargeback(session, dispute.id)
    if chargeback is not None:
        return chargeback.paystack_id is not None or chargeback.status in FINAL
    if await has_requested_refund(session, dispute.payment_id):
        return False
    payment_status = select(Payment.status).where(Payment.id == dispute.payment_id)
    return (await session.execute(payment_status)).scalar_one() not in UNPAID
