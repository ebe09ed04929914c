"""Carries refunds out at Paystack and follows them: a payment at a time, the truth from GET /refund, never from a notice.

A refund is sent once. Whether one whose answer was lost is there is looked up by our id in its `merchant_note`, before it would be sent
again: two equal partial refunds are two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import DateTime, Update, case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.messaging import outbox
from kit.messaging.notifier import Notifier
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments import events
from services.payments.db import Topic
from services.payments.ledger import journal, movements
from services.payments.models import UNPAID, OutboxRow, Payment, PaymentStatus
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import PaystackError, Refused
from services.payments.paystack.refunds import PaystackRefund
from services.payments.refunds import chargebacks
from services.payments.refunds.models import Refund, RefundStatus
from services.payments.refunds.requests import UNFINISHED
from services.payments.settings import settings

LEASE = timedelta(seconds=45)
"""Longer than what is done between two renewals: two calls of Paystack and what they tell, each within its limits."""

POLL_SECONDS = 1.0
AT_PAYSTACK = frozenset(RefundStatus) - {RefundStatus.REQUESTED}
BACKOFF = Backoff(first=5, longest=6 * 3600)
refunds_total = Counter("refunds_total", "Refunds by what became of them", ["status"])
log = structlog.get_logger("refunds")


@dataclass(frozen=True, slots=True)
class DuePayment:
    payment_id: int
    reference: str
    paystack_id: int | None
    attempts: int
    due_at: datetime
    leased_until: datetime


class RefundExecutor:
    """The background job that sends refunds to Paystack and follows them to their end."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self.notifier = notifier
        self._wakeup = notifier.subscribe(Topic.REFUNDS)

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            due = await self._take_due()
            if due is None:
                await shutdown.wait(POLL_SECONDS, self._wakeup)
            else:
                await self._process(shutdown, due)

    async def _take_due(self) -> DuePayment | None:
        """One payment whose refunds are due and that nobody has in hand; it is ours for a minute, whatever nudges come meanwhile.

        What went back of a payment of which we have not heard that it was paid waits until we have.
        """
        due = take_due(
            Payment.id,
            Payment.reference,
            Payment.paystack_id,
            Payment.refunds_attempts,
            Payment.refunds_next_attempt_at,
            Payment.refunds_leased_until,
            key=Payment.id,
            due_at=Payment.refunds_next_attempt_at,
            attempts=Payment.refunds_attempts,
            lease=LEASE,
            leased_until=Payment.refunds_leased_until,
            where=[Payment.status.not_in(UNPAID)],
        )
        async with self.sessions.begin() as session:
            row = (await session.execute(due)).one_or_none()
        return None if row is None else DuePayment(*row)

    async def _renew(self, due: DuePayment) -> DuePayment | None:
        """A whole minute again. None where the lease has run out and another has it: that one sends what is to be sent."""
        ours = _change(due.payment_id, refunds_leased_until=func.now() + LEASE).where(
            Payment.refunds_leased_until == due.leased_until
        )
        async with self.sessions.begin() as session:
            leased = (await session.execute(ours.returning(Payment.refunds_leased_until))).scalar_one_or_none()
        return replace(due, leased_until=leased) if leased is not None else None

    async def _process(self, shutdown: Shutdown, due: DuePayment) -> None:
        # Waiting for our turn may take longer than the lease.
        if not await self.paystack.rate_limit.acquire("others", shutdown):
            return
        held = await self._renew(due)
        if held is None:
            return
        try:
            await self._execute(held)
        except PaystackError as error:
            log.warning(
                "refunds could not be looked at",
                reference=due.reference,
                error=type(error).__name__,
                reason=str(error)[:200],
            )

    async def _execute(self, due: DuePayment) -> None:
        transaction = due.paystack_id or await self._transaction(due)
        if transaction is None:
            log.error("Paystack does not know a payment that is to be refunded", reference=due.reference)
            await self._next_look(due)
            return
        told = await self.paystack.refunds.list_for_transaction(transaction)
        await self._sync(due, told)
        async with self.sessions() as session:
            waiting = await session.execute(
                select(Refund)
                .where(Refund.payment_id == due.payment_id, Refund.status == RefundStatus.REQUESTED)
                .order_by(Refund.number)
            )
            requested = waiting.scalars().all()
        for refund in requested:
            held = await self._renew(due)
            if held is None:
                return
            due = held
            await self._send(due, refund)
        await self._next_look(due)

    async def _transaction(self, due: DuePayment) -> int | None:
        """Paystack's id of the transaction, which its list of refunds goes by, where no notice has told it yet."""
        charge = await self.paystack.transactions.verify(due.reference)
        if charge is None or charge.id is None:
            return None
        async with self.sessions.begin() as session:
            await session.execute(_change(due.payment_id, paystack_id=charge.id))
        return charge.id

    async def _send(self, due: DuePayment, refund: Refund) -> None:
        try:
            told = await self.paystack.refunds.create(
                due.reference, refund.amount, refund.currency, note=note(refund), customer_note=refund.reason
            )
        except Refused as refused:
            log.error("Paystack refuses a refund", reference=due.reference, refund=str(refund.id), reason=str(refused))
            async with self.sessions.begin() as session:
                # Behind the payment's lock as all that is done to it: whoever holds that reckons with what is asked for (losses.py).
                locked = select(Payment).where(Payment.id == due.payment_id).with_for_update()
                payment = (await session.execute(locked)).scalar_one()
                await session.execute(
                    update(Refund)
                    .where(Refund.id == refund.id)
                    .values(status=RefundStatus.FAILED, error=str(refused)[:500])
                )
                await chargebacks.record_pending_chargebacks(session, payment)
            refunds_total.labels("refused").inc()
            return
        await self._sync(due, [told])

    async def _sync(self, due: DuePayment, told: Sequence[PaystackRefund]) -> None:
        """Write down what Paystack says of this payment's refunds, and tell the shop of money that went back."""
        async with self.sessions.begin() as session:
            payment = (
                await session.execute(select(Payment).where(Payment.id == due.payment_id).with_for_update())
            ).scalar_one()
            ours = (await session.execute(select(Refund).where(Refund.payment_id == due.payment_id))).scalars().all()
            for one in told:
                await self._match(session, payment, ours, one)
            await session.flush()
            await self._total(session, payment)
        self.notifier.wake(Topic.OUTBOX)

    async def _match(
        self, session: AsyncSession, payment: Payment, ours: Sequence[Refund], told: PaystackRefund
    ) -> None:
        known = next((refund for refund in ours if refund.paystack_id == told.id), None)
        if known is None:
            known = next((r for r in ours if r.paystack_id is None and told.note and note(r) == told.note), None)
        if known is None:
            # What a lost dispute gives back is written down before it is listed.
            lost = (r for r in ours if r.paystack_id is None and r.dispute_id is not None and r.amount == told.amount)
            known = next(lost, None)
        if known is None:
            # Made on Paystack's dashboard, or by Paystack itself: it is money that went back all the same.
            known = Refund(
                payment_id=payment.id, amount=told.amount, currency=payment.paid_currency, requested_by="paystack"
            )
            session.add(known)
        status = RefundStatus(told.status) if told.status in AT_PAYSTACK else RefundStatus.PENDING
        if known.status in chargebacks.FINAL and known.paystack_id is not None:
            return  # final
        if known.status != status:
            refunds_total.labels(status).inc()
            if status in {RefundStatus.FAILED, RefundStatus.NEEDS_ATTENTION}:
                log.error("refund needs a person", reference=payment.reference, refund=str(known.id), status=status)
        known.paystack_id, known.status = told.id, status

    async def _total(self, session: AsyncSession, payment: Payment) -> None:
        query = select(Refund).where(Refund.payment_id == payment.id, Refund.status == RefundStatus.PROCESSED)
        processed = (await session.execute(query)).scalars().all()
        await journal.record(
            session,
            [
                movements.refunded(payment, refund.id, refund.amount, refund.currency, settings.domain)
                for refund in processed
            ],
        )
        total = sum(refund.amount for refund in processed)
        if total <= payment.refunded_amount:
            return
        payment.refunded_amount = total
        if payment.refundable <= 0:
            payment.status = PaymentStatus.REFUNDED
        elif payment.status not in {
            PaymentStatus.DISPUTED,
            PaymentStatus.HELD,
        }:  # what is left of held money still waits for a person
            payment.status = PaymentStatus.PARTIALLY_REFUNDED
        if payment.order_id is not None:
            await outbox.add(session, OutboxRow, events.refunded(payment, total))

    async def _next_look(self, due: DuePayment) -> None:
        """While one is open, look again, ever less often; notices make it sooner."""
        pause = timedelta(seconds=BACKOFF.seconds(due.attempts - 1))
        async with self.sessions.begin() as session:
            unfinished = (
                select(Refund.number).where(Refund.payment_id == due.payment_id, Refund.status.in_(UNFINISHED)).limit(1)
            )
            is_open = (await session.execute(unfinished)).scalar_one_or_none() is not None
            # Where a nudge came meanwhile, it is due already, and stays so.
            nudged = Payment.refunds_next_attempt_at != due.due_at
            next_at = datetime.now(UTC) + pause if is_open else None
            await session.execute(
                update(Payment)
                .where(Payment.id == due.payment_id, Payment.refunds_leased_until == due.leased_until)
                .values(
                    refunds_next_attempt_at=case(
                        (nudged, Payment.refunds_next_attempt_at), else_=literal(next_at, DateTime(timezone=True))
                    ),
                    refunds_leased_until=None,
                    refunds_attempts=Payment.refunds_attempts if is_open else 0,
                )
            )


def note(refund: Refund) -> str:
    """What we write into `merchant_note`, to find the refund again."""
    return f"refund {refund.id}"


def _change(payment_id: int, **values: object) -> Update:
    return update(Payment).where(Payment.id == payment_id).values(values)
