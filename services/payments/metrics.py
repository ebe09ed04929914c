"""What is late: notices without an effect, events that have not left; and how many payments wait for a person."""

from prometheus_client import Gauge
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.messaging import outbox
from kit.worker.shutdown import Shutdown
from services.payments.disputes import poller
from services.payments.models import OutboxRow, Payment, PaymentStatus
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.requests import OWED
from services.payments.webhooks.models import WebhookEvent

MEASURE_SECONDS = 5
LATE_SECONDS = 60
MOST_COUNTED = 10_000

oldest_notice = Gauge("webhook_events_oldest_age_seconds", "Age of the oldest notice whose effect is not committed")
attention = Gauge(
    "refunds_needing_attention",
    "Refunds that wait for a person: the payer's account is needed, or an automatic one failed",
)
held = Gauge("payments_held", "Payments that wait for a person")


def refunds_that_wait() -> Select[int]:
    """Numbers of the refunds that wait for a person; also what should have gone back by itself and did not: nobody else would miss it."""
    refund = select(Refund.number).join(Payment, Payment.id == Refund.payment_id)
    return refund.where((Refund.status == RefundStatus.NEEDS_ATTENTION) | OWED)


class Metrics:
    """Measures every few seconds, for /metrics; and is a readiness check: late work is a reason."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self.sessions = sessions

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            await self.measure()
            await shutdown.wait(MEASURE_SECONDS)

    async def measure(self) -> str | None:
        """None, or what is late."""
        async with self.sessions() as session:
            waiting = (
                select(WebhookEvent.received_at).where(WebhookEvent.status == "pending").limit(MOST_COUNTED).subquery()
            )
            age = func.coalesce(func.extract("epoch", func.now() - func.min(waiting.c.received_at)), 0)
            count, oldest = (await session.execute(select(func.count(), age).select_from(waiting))).one()
            oldest_notice.set(oldest)
            of_a_person = select(Payment.id).where(Payment.status == PaymentStatus.HELD).limit(MOST_COUNTED).subquery()
            stuck = refunds_that_wait().limit(MOST_COUNTED).subquery()
            attention.set((await session.execute(select(func.count()).select_from(stuck))).scalar_one())
            held.set((await session.execute(select(func.count()).select_from(of_a_person))).scalar_one())
            await poller.measure(session)
            events, event_age = (await session.execute(outbox.backlog(OutboxRow))).one()
        late = []
        if oldest > LATE_SECONDS:
            late.append(f"{count} notices wait, the oldest for {oldest:.0f} s")
        if event_age > LATE_SECONDS:
            late.append(f"{events} events wait for the broker, the oldest for {event_age:.0f} s")
        return "; ".join(late) or None
