"""The sweeper: verify at Paystack the payments whose webhook event is late, with growing intervals, until they are paid or old.

A charge of an abandoned payment that Paystack reports later is settled.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from prometheus_client import Counter
from sqlalchemy import case, func, literal, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.counting import count_up_to
from kit.db.errors import is_contention
from kit.log_throttling import log_failure
from kit.observability.measured_gauge import MeasuredGauge
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments.models import Payment
from services.payments.paystack.charge import Charge
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError
from services.payments.paystack.progress import IN_PROGRESS
from services.payments.paystack.rate_limit import RateLimit
from services.payments.settings import settings
from services.payments.settlement import abandoned
from services.payments.settlement.progress import record_progress
from services.payments.settlement.rules import STATUSES_WITH_EFFECT
from services.payments.settlement.settle import settle
from services.payments.settlement.unsent_charges import abandon_unsent_charge
from services.payments.statuses import PaymentStatus

BATCH = 50
CONCURRENCY = 10
POLL_SECONDS = 1.0
BACKOFF = Backoff(first=settings.payments_verify_after_seconds, longest=3600)
REPORT_SECONDS = 30.0
MAX_GAUGE_AGE_SECONDS = 600.0
"""At a low rate limit, a batch can take minutes, and the gauges are set only between two batches."""

MAX_COUNTED = 100_000
LOG_THRESHOLD = 50
"""If fewer payments are due, their number is not logged."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
TO_VERIFY = Payment.status.in_((PaymentStatus.PENDING, PaymentStatus.FAILED))
"""Condition: payments that the sweeper verifies. Failed ones are included: the payer of a declined payment can retry on its page."""

verifications_total = Counter(
    "sweeper_verifications_total", "Verifications by the sweeper, by result: answered, locked or the error", ["result"]
)
sweeper_due = MeasuredGauge(
    "sweeper_due",
    "Payments that are due for verification, counted up to 100,000",
    max_age_seconds=MAX_GAUGE_AGE_SECONDS,
)
sweeper_expected_seconds = MeasuredGauge(
    "sweeper_expected_seconds",
    "Seconds that verifying all due payments takes at the current rate limit",
    max_age_seconds=MAX_GAUGE_AGE_SECONDS,
)
log = structlog.get_logger("sweeper")


class DuePayment(NamedTuple):
    """A payment that is due for verification, and what Paystack answered about it last."""

    reference: str
    created_at: datetime
    paystack_status: str | None
    channel: str | None

    def differs_from(self, charge: Charge) -> bool:
        """Return True if the charge has another status or channel than Paystack reported last, such as `pending` with `bank_transfer`."""
        other_channel = charge.status in IN_PROGRESS and charge.channel != self.channel
        return charge.status != self.paystack_status or other_channel


async def count_due(session: AsyncSession, before: datetime | None = None) -> int:
    """Return the number of payments that are due for verification at the time `before`, by default now; at most MAX_COUNTED."""
    at = func.now() if before is None else before
    due = select(Payment.id).where(TO_VERIFY, Payment.verify_next_attempt_at <= at)
    return await count_up_to(session, due, MAX_COUNTED)


async def make_all_due(session: AsyncSession) -> None:
    """Make all pending and failed payments due for verification now."""
    later = update(Payment).where(TO_VERIFY, Payment.verify_next_attempt_at > func.now())
    await session.execute(later.values(verify_next_attempt_at=func.now()))


def expected_seconds(count: int, rate_limit: RateLimit) -> float:
    """Return the seconds that `count` verifications take at the current rate limit."""
    return count * 60 / rate_limit.per_minute("verify")


class Sweeper:
    """The background job that verifies due payments, and single sweeps for an operator. Several may run: they share the due payments."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self._reported_at = -REPORT_SECONDS

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            await self._report()
            due = await self._take_due()
            await self._verify_all(shutdown, due)
            if len(due) < BATCH:
                await shutdown.wait(POLL_SECONDS)

    async def sweep(self, shutdown: Shutdown, on_result: Callable[[bool], None]) -> None:
        """Verify once each payment that is due at the start. Call `on_result` after each, with True if the payment was verified."""
        async with self.sessions() as session:
            started_at = (await session.execute(select(func.now()))).scalar_one()
        while not shutdown.requested and (due := await self._take_due(started_at)):
            await self._verify_all(shutdown, due, on_result)

    async def _take_due(self, before: datetime | None = None) -> Sequence[DuePayment]:
        """Take due payments and schedule their next attempts, so that a crash loses none."""
        due = take_due(
            Payment.reference,
            Payment.created_at,
            Payment.paystack_status,
            Payment.channel,
            key=Payment.id,
            due_at=Payment.verify_next_attempt_at,
            attempts=Payment.verify_attempts,
            lease=BACKOFF.interval(Payment.verify_attempts),  # also the pause before the next verification
            where=[TO_VERIFY],
            due_by=None if before is None else literal(before),
            limit=BATCH,
        )
        async with self.sessions.begin() as session:
            return [DuePayment(*row) for row in (await session.execute(due)).all()]

    async def _verify_all(
        self, shutdown: Shutdown, due: Sequence[DuePayment], on_result: Callable[[bool], None] | None = None
    ) -> None:
        waiting = deque(due)

        async def verify_waiting() -> None:
            while waiting:
                payment = waiting.popleft()
                if not await self.paystack.rate_limit.acquire("verify", shutdown):
                    return
                answered = await self._verify(payment)
                if on_result is not None:
                    on_result(answered)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(CONCURRENCY, len(due))):
                    group.create_task(verify_waiting())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _verify(self, due: DuePayment) -> bool:
        """Verify a payment and settle its charge. Return False if the call to Paystack failed or the payment was locked."""
        reference = due.reference
        try:
            charge = await self.paystack.transactions.verify(reference)
            old = datetime.now(UTC) - due.created_at > timedelta(seconds=settings.payments_abandon_after_seconds)
            has_effect = charge is not None and charge.status in STATUSES_WITH_EFFECT
            if old or charge is None or has_effect or due.differs_from(charge):
                async with self.sessions.begin() as session:
                    if charge is not None:
                        await settle(session, [charge])
                        await record_progress(session, charge)
                    else:
                        await abandon_unsent_charge(session, reference)
                    if old:
                        await _abandon(session, reference)
        except PaystackError as error:
            verifications_total.labels(type(error).__name__).inc()
            log_failure(log.warning, "verification failed", error, reference=reference)
        except DBAPIError as error:
            if not is_contention(error):
                raise
            verifications_total.labels("locked").inc()
        else:
            verifications_total.labels("answered").inc()
            return True
        return False

    async def _report(self) -> None:
        """Set the gauges and log the number of due payments, at most once in REPORT_SECONDS."""
        now = time.monotonic()
        if now - self._reported_at < REPORT_SECONDS:
            return
        self._reported_at = now
        async with self.sessions() as session:
            due = await count_due(session)
        seconds = expected_seconds(due, self.paystack.rate_limit)
        sweeper_due.set(due)
        sweeper_expected_seconds.set(seconds)
        if due >= LOG_THRESHOLD:
            per_minute = round(self.paystack.rate_limit.per_minute("verify"))
            log.info("payments due for verification", due=due, per_minute=per_minute, minutes=round(seconds / 60, 1))


async def _abandon(session: AsyncSession, reference: str) -> None:
    """Stop verifying an old payment. Called only after Paystack has answered: a payment that was not verified is not abandoned."""
    await abandoned.abandon(
        session,
        update(Payment)
        .where(Payment.reference == reference, TO_VERIFY)
        .values(
            status=case((Payment.status == PaymentStatus.PENDING, PaymentStatus.ABANDONED), else_=Payment.status),
            verify_next_attempt_at=NEVER,
        ),
    )
