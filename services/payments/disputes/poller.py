"""Follows disputes to their end: the truth from GET /dispute/:id, a dispute at a time; and looks for those that no notice told of."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.messaging.notifier import Notifier
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
"""Of the sixteen hours, the last: each look says so aloud."""

FORGOTTEN_AFTER = timedelta(days=30)
"""A lost dispute whose money Paystack never reports as gone is no longer asked about."""

SEARCH_SECONDS = 600.0
MOST_PAGES = 20

log = structlog.get_logger("disputes")


class DisputePoller:
    """The background job that asks Paystack how disputes stand, and searches for disputes whose webhook event was lost."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self.notifier = notifier
        self._wakeup = notifier.subscribe(Topic.DISPUTES)

    async def run(self, shutdown: Shutdown) -> None:
        clock = asyncio.get_running_loop().time
        searched = -SEARCH_SECONDS
        while not shutdown.requested:
            try:
                if clock() - searched > SEARCH_SECONDS:
                    await self.search(shutdown)
                    searched = clock()
                if await self.poll_due(shutdown):
                    continue
            except PaystackError as error:
                log.warning("disputes could not be looked at", error=type(error).__name__, reason=str(error)[:200])
            await shutdown.wait(POLL_SECONDS, self._wakeup)

    async def search(self, shutdown: Shutdown) -> None:
        """Hear of every dispute that waits for our answer, whether or not its notice came."""
        for page in range(1, MOST_PAGES + 1):
            if not await self.paystack.rate_limit.acquire("others", shutdown):
                return
            told = await self.paystack.disputes.list_with_status(DisputeStatus.AWAITING_MERCHANT_FEEDBACK, page)
            async with self.sessions.begin() as session:
                await records.record(session, told)
            if not told:
                return
            self.notifier.wake(Topic.OUTBOX, Topic.REFUNDS)

    async def poll_due(self, shutdown: Shutdown) -> bool:
        """Look, when it is our turn, at one that is due. Whether there was one. Raises PaystackError; it is due again in a minute."""
        taken = await self._take()
        if taken is None:
            return False
        dispute_id, attempts = taken
        if not await self.paystack.rate_limit.acquire("others", shutdown):
            return False
        try:
            told = await self.paystack.disputes.fetch(dispute_id)
        except Refused as refused:
            log.error("Paystack does not know a dispute", dispute=dispute_id, reason=str(refused)[:200])
            told = None
        async with self.sessions.begin() as session:
            if told is not None and told.id == dispute_id:
                await records.apply(session, told)
            await self._put_off(session, dispute_id, attempts)
        self.notifier.wake(Topic.OUTBOX, Topic.REFUNDS)
        return True

    async def _take(self) -> tuple[int, int] | None:
        due = take_due(
            Dispute.id,
            Dispute.attempts,
            key=Dispute.id,
            due_at=Dispute.next_attempt_at,
            attempts=Dispute.attempts,
            lease=LEASE,
        )
        async with self.sessions.begin() as session:
            row = (await session.execute(due)).one_or_none()
        return None if row is None else (row.id, row.attempts - 1)

    async def _put_off(self, session: AsyncSession, dispute_id: int, attempts: int) -> None:
        """Ever less often while it goes on, and when its time is over; a nudge that came meanwhile stays."""
        dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one()
        now = datetime.now(UTC)
        next_at: datetime | None = now + timedelta(seconds=BACKOFF.seconds(attempts))
        if await _is_finished(session, dispute, now):
            next_at = None
        elif _waits_for_us(dispute):
            if now < dispute.due_at < now + DUE_SOON:
                log.critical(
                    "a dispute is about to be accepted in our name",
                    dispute=dispute_id,
                    reference=dispute.reference,
                    due_at=dispute.due_at.isoformat(),
                )
            if next_at is not None and now < dispute.due_at < next_at:
                next_at = dispute.due_at
        await session.execute(
            update(Dispute)
            .where(Dispute.id == dispute_id, Dispute.next_attempt_at > func.now())
            .values(next_attempt_at=next_at)
        )


def _waits_for_us(dispute: Dispute) -> bool:
    return dispute.lost is None and dispute.status != DisputeStatus.AWAITING_BANK_FEEDBACK


async def _is_finished(session: AsyncSession, dispute: Dispute, now: datetime) -> bool:
    """Over, and nothing of it to come."""
    if dispute.lost is None:
        return False
    if not dispute.lost or dispute.payment_id is None or now - (dispute.resolved_at or now) > FORGOTTEN_AFTER:
        return True
    refund = await find_chargeback(session, dispute.id)
    if refund is not None:
        return refund.paystack_id is not None or refund.status in FINAL
    if await has_requested_refund(session, dispute.payment_id):
        return False
    paid = select(Payment.status).where(Payment.id == dispute.payment_id)
    return (await session.execute(paid)).scalar_one() not in UNPAID
