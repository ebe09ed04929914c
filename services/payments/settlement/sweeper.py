"""The sweep: asks Paystack about payments whose webhook is late, at Paystack's pace, ever less often, until they are given up.

Given up is not failed: money that comes later still settles.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import case, func, literal, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.db.counting import count_up_to
from kit.db.errors import is_contention
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments.models import Payment, PaymentStatus
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError
from services.payments.paystack.rate_limit import RateLimit
from services.payments.settings import settings
from services.payments.settlement.rules import DECIDED
from services.payments.settlement.settle import settle

BATCH = 50
CONCURRENCY = 10
POLL_SECONDS = 1.0
BACKOFF = Backoff(first=settings.payments_verify_after_seconds, longest=3600)
REPORT_SECONDS = 30.0
MAX_COUNTED = 100_000
WORTH_SAYING = 50

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
UNDECIDED = Payment.status.in_((PaymentStatus.PENDING, PaymentStatus.FAILED))
"""A declined payment's page stays open: the payer may still pay there."""

asked_total = Counter("sweeper_verifications_total", "Payments that the sweep asked about", ["result"])
sweeper_due = Gauge("sweeper_due", "Pending payments that Paystack is to be asked about now, counted up to 100,000")
sweeper_expected_seconds = Gauge(
    "sweeper_expected_seconds", "How long asking about all of them takes at the present pace"
)
log = structlog.get_logger("sweep")


async def count_due(session: AsyncSession, before: datetime | None = None) -> int:
    """How many pending payments are due, up to MAX_COUNTED."""
    at = func.now() if before is None else before
    some = select(Payment.id).where(UNDECIDED, Payment.verify_next_attempt_at <= at)
    return await count_up_to(session, some, MAX_COUNTED)


async def bring_forward(session: AsyncSession) -> None:
    """Have every pending payment asked about now, also those whose turn has not come."""
    later = update(Payment).where(UNDECIDED, Payment.verify_next_attempt_at > func.now())
    await session.execute(later.values(verify_next_attempt_at=func.now()))


def expected_seconds(count: int, rate_limit: RateLimit) -> float:
    """How long asking about so many takes."""
    return count * 60 / rate_limit.per_minute("verify")


class Sweeper:
    """The loop, and one pass of it for an operator. Several may run: each takes what the others have not."""

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

    async def sweep(self, shutdown: Shutdown, asked: Callable[[bool], None]) -> None:
        """Ask about everything that is due by now, and no more. Calls `asked` after each, with whether there was an answer."""
        began = datetime.now(UTC)
        while not shutdown.requested and (due := await self._take_due(began)):
            await self._verify_all(shutdown, due, asked)

    async def _take_due(self, before: datetime | None = None) -> Sequence[tuple[str, datetime]]:
        """References that are due, and when they were made; their next question is put off first: whoever dies here has forgotten none."""
        due = take_due(
            Payment.reference,
            Payment.created_at,
            key=Payment.id,
            due_at=Payment.verify_next_attempt_at,
            attempts=Payment.verify_attempts,
            lease=BACKOFF.interval(Payment.verify_attempts),
            where=[UNDECIDED],
            before=None if before is None else literal(before),
            limit=BATCH,
        )
        async with self.sessions.begin() as session:
            return [(row.reference, row.created_at) for row in (await session.execute(due)).all()]

    async def _verify_all(
        self, shutdown: Shutdown, due: Sequence[tuple[str, datetime]], asked: Callable[[bool], None] | None = None
    ) -> None:
        waiting = deque(due)

        async def ask_some() -> None:
            while waiting:
                payment = waiting.popleft()
                if not await self.paystack.rate_limit.acquire("verify", shutdown):
                    return
                answered = await self._ask(*payment)
                if asked is not None:
                    asked(answered)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(CONCURRENCY, len(due))):
                    group.create_task(ask_some())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _ask(self, reference: str, created_at: datetime) -> bool:
        """Whether there was an answer, and it took effect."""
        try:
            charge = await self.paystack.transactions.verify(reference)
            old = datetime.now(UTC) - created_at > timedelta(seconds=settings.payments_abandon_after_seconds)
            decided = charge is not None and charge.status in DECIDED
            if old or decided:
                async with self.sessions.begin() as session:
                    if charge is not None:
                        await settle(session, [charge])
                    if old:
                        await _give_up(session, reference)
        except PaystackError as error:
            asked_total.labels(type(error).__name__).inc()
            log.warning("verify failed", reference=reference, error=type(error).__name__, reason=str(error)[:200])
        except DBAPIError as error:
            if not is_contention(error):
                raise
            asked_total.labels("locked").inc()
        else:
            asked_total.labels("answered").inc()
            return True
        return False

    async def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported_at < REPORT_SECONDS:
            return
        self._reported_at = now
        async with self.sessions() as session:
            due = await count_due(session)
        seconds = expected_seconds(due, self.paystack.rate_limit)
        sweeper_due.set(due)
        sweeper_expected_seconds.set(seconds)
        if due >= WORTH_SAYING:
            log.info(
                "payments to ask about",
                due=due,
                a_minute=round(self.paystack.rate_limit.per_minute("verify")),
                minutes=round(seconds / 60, 1),
            )


async def _give_up(session: AsyncSession, reference: str) -> None:
    """Only after an answer: what could not be asked about is not given up."""
    await session.execute(
        update(Payment)
        .where(Payment.reference == reference, UNDECIDED)
        .values(
            status=case((Payment.status == PaymentStatus.PENDING, PaymentStatus.ABANDONED), else_=Payment.status),
            verify_next_attempt_at=NEVER,
        )
    )
