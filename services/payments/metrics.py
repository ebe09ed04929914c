"""Measure what is overdue and what needs an operator: for /metrics, for the readiness check and for the command `status`."""

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.counting import count_and_oldest_age, count_up_to
from kit.messaging import outbox
from kit.messaging.entry_status import EntryStatus
from kit.observability.measured_gauge import MeasuredGauge
from kit.worker.shutdown import Shutdown
from services.payments.models import Dispute, DisputeStatus, OutboxRow, Payment
from services.payments.refunds.models import Refund
from services.payments.refunds.requests import NEEDS_OPERATOR, REFUSED
from services.payments.rejected_transfers.models import RejectedTransfer
from services.payments.statuses import PaymentStatus
from services.payments.webhooks.models import WebhookEvent

REJECTED_TRANSFERS_FAILED = select(RejectedTransfer.id).where(RejectedTransfer.failed_at.is_not(None))
INTERVAL_SECONDS = 5
OVERDUE_SECONDS = 60

oldest_webhook_event_age = MeasuredGauge(
    "webhook_events_oldest_age_seconds",
    "For how many seconds the oldest due webhook event has been due; 0 if none is due",
)
refunds_that_need_an_operator = MeasuredGauge(
    "refunds_that_need_an_operator",
    "Refunds that failed, until their payment is fully refunded or an operator closes them; and those that need the payer's bank account",
)
refunds_refused = MeasuredGauge("refunds_refused", "Refunds that Paystack refused and that are sent again later")
payments_held = MeasuredGauge("payments_held", "Payments that wait for manual review")
rejected_transfers_failed = MeasuredGauge(
    "rejected_transfers_failed",
    "Bank transfers that Paystack rejected and whose payment it did not name after many attempts: they need an operator",
)
disputes_open = MeasuredGauge("disputes_open", "Disputes that are not resolved")
dispute_due_seconds = MeasuredGauge(
    "dispute_due_seconds", "Seconds until the first dispute that waits for our response is accepted automatically"
)


def select_refunds_that_need_an_operator() -> Select[int]:
    """Select the refunds that wait for the payer's bank account, and the failed refunds that need an operator."""
    return select(Refund.number).join(Payment, Payment.id == Refund.payment_id).where(NEEDS_OPERATOR)


def select_refused_refunds() -> Select[int]:
    """Select the refunds that Paystack refused and that are sent again later."""
    return select(Refund.number).where(REFUSED)


async def seconds_until_dispute_due(session: AsyncSession) -> float | None:
    """Return the seconds until the first dispute that waits for our response is accepted automatically; None if there is none."""
    remaining = func.extract("epoch", func.min(Dispute.due_at) - func.now())
    waiting = select(remaining).where(Dispute.lost.is_(None), Dispute.status != DisputeStatus.AWAITING_BANK_FEEDBACK)
    seconds = (await session.execute(waiting)).scalar_one()
    return None if seconds is None else float(seconds)


class Metrics:
    """The background job that sets the gauges every few seconds. `measure` is also a readiness check: with overdue work it fails."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            await self.measure()
            await shutdown.wait(INTERVAL_SECONDS)

    async def measure(self) -> str | None:
        """Set the gauges. Return a sentence about the overdue work, or None if nothing is overdue."""
        async with self.sessions() as session:
            # An event that waits for its next attempt after a failure is not overdue.
            due = (WebhookEvent.status == EntryStatus.PENDING) & (WebhookEvent.next_attempt_at <= func.now())
            count, age = await count_and_oldest_age(
                session, select(WebhookEvent.id).where(due), WebhookEvent.next_attempt_at
            )
            oldest_webhook_event_age.set(age)
            refunds_that_need_an_operator.set(await count_up_to(session, select_refunds_that_need_an_operator()))
            refunds_refused.set(await count_up_to(session, select_refused_refunds()))
            payments_held.set(
                await count_up_to(session, select(Payment.id).where(Payment.status == PaymentStatus.HELD))
            )
            rejected_transfers_failed.set(await count_up_to(session, REJECTED_TRANSFERS_FAILED))
            disputes_open.set(await count_up_to(session, select(Dispute.id).where(Dispute.lost.is_(None))))
            seconds = await seconds_until_dispute_due(session)
            dispute_due_seconds.set(float("inf") if seconds is None else seconds)
            events, event_age = await outbox.measure(session, OutboxRow)
        overdue = []
        if age > OVERDUE_SECONDS:
            overdue.append(f"{count} webhook events are due for processing, the first one for {age:.0f} s")
        if event_age > OVERDUE_SECONDS:
            overdue.append(f"{events} events are not published, the oldest is {event_age:.0f} s old")
        return "; ".join(overdue) or None
