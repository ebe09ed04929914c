"""The refund executor: send requested refunds to Paystack, and sync their statuses until they are final.

The executor works on one payment at a time. It takes the state of refunds from Paystack's responses (GET and POST /refund), never from a
webhook event. No refund is carried out twice: if the response to a request was lost, the executor finds the refund in Paystack's list by
our id in `merchant_note` and does not send it again. A refund that Paystack refused was not carried out: unless the refusal is permanent,
it is sent again hours later, because the most frequent cause is a balance that is too low. Amounts do not identify a refund, because two
partial refunds can be equal.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import DateTime, Update, case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.money import format_money
from kit.log_throttling import HOUR, log_failure, log_throttled
from kit.messaging.notifier import Notifier
from kit.observability.tracing import continue_trace
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments.db import Topic
from services.payments.models import UNPAID, Payment
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, PaystackError, Refused
from services.payments.paystack.refunds import PaystackRefund
from services.payments.refunds.models import Refund
from services.payments.refunds.requests import UNFINISHED
from services.payments.refunds.send_check import may_be_sent
from services.payments.refunds.sync import merchant_note, record_refusal, sync_refunds
from services.payments.statuses import RefundStatus

LEASE = timedelta(seconds=45)
"""Longer than the work between two renewals: two calls to Paystack and the database transactions after them. Each has a time limit."""

MARGIN_SECONDS = 5.0
"""A refund is sent only while the lease lasts longer than this, and the call ends this long before the lease."""

POLL_SECONDS = 1.0
BACKOFF = Backoff(first=5, longest=6 * 3600)
log = structlog.get_logger("refunds")


@dataclass(frozen=True, slots=True)
class DuePayment:
    """A payment whose refunds are due, and the lease of this executor on it. `paystack_id`: Paystack's id of the transaction, if known.

    `lease_ends`: the end of the lease in seconds of the executor's clock, which goes on while the process is suspended.
    """

    payment_id: int
    reference: str
    order_id: UUID | None
    traceparent: str | None
    paystack_id: int | None
    attempts: int
    due_at: datetime
    leased_until: datetime
    lease_ends: float = 0.0

    def log_fields(self) -> dict[str, str | None]:
        """Return the fields that all log lines about the payment have in common."""
        return {"reference": self.reference, "order_id": str(self.order_id) if self.order_id else None}


class RefundExecutor:
    """The background job that sends refunds to Paystack and syncs their statuses. Several may run: they share the due payments."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        paystack: Paystack,
        notifier: Notifier,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self.notifier = notifier
        self._clock = clock
        self._wakeup = notifier.subscribe(Topic.REFUNDS)

    async def run(self, shutdown: Shutdown) -> None:
        while not shutdown.requested:
            due = await self._take_due()
            if due is None:
                await shutdown.wait(POLL_SECONDS, self._wakeup)
            else:
                with continue_trace(due.traceparent):
                    await self._sync_due(shutdown, due)

    async def _take_due(self) -> DuePayment | None:
        """Take a payment whose refunds are due, with a lease. Return None if there is none.

        The refunds of an unpaid payment are not taken until the payment is settled as paid.
        """
        due = take_due(
            Payment.id,
            Payment.reference,
            Payment.order_id,
            Payment.traceparent,
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
        lease_ends = self._lease_end()
        async with self.sessions.begin() as session:
            row = (await session.execute(due)).one_or_none()
        return None if row is None else replace(DuePayment(*row), lease_ends=lease_ends)

    def _lease_end(self) -> float:
        """Return the end of a lease that is taken now. Call it before the statement that takes the lease."""
        return self._clock() + LEASE.total_seconds()

    async def _renew(self, session: AsyncSession, due: DuePayment, *, still_valid: bool) -> DuePayment | None:
        """Renew the lease. Return None if another executor has taken the payment: that executor sends the remaining refunds.

        `still_valid`: also return None if the lease has ended, because what was read from Paystack under it may be out of date.
        """
        lease_ends = self._lease_end()
        ours = [Payment.refunds_leased_until == due.leased_until]
        if still_valid:
            ours.append(Payment.refunds_leased_until > func.now())
        renewed = _update(due.payment_id, refunds_leased_until=func.now() + LEASE).where(*ours)
        renewed = renewed.returning(Payment.refunds_leased_until)
        leased_until = (await session.execute(renewed)).scalar_one_or_none()
        return None if leased_until is None else replace(due, leased_until=leased_until, lease_ends=lease_ends)

    async def _sync_due(self, shutdown: Shutdown, due: DuePayment) -> None:
        if not await self.paystack.rate_limit.acquire("other_calls", shutdown):
            return
        # The wait for the rate limit can be longer than the lease, so the lease is renewed after it.
        async with self.sessions.begin() as session:
            leased = await self._renew(session, due, still_valid=False)
        if leased is None:
            return
        try:
            await self._sync_and_send(leased)
        except PaystackError as error:
            # The refunds are due again when the lease ends.
            log_line = log.bind(**due.log_fields()).warning
            log_failure(log_line, "refund sync failed", error, about=due.reference, every=HOUR)

    async def _sync_and_send(self, due: DuePayment) -> None:
        """Apply the refunds that Paystack lists, send the requested refunds that are not among them, and schedule the next sync."""
        transaction_id = due.paystack_id or await self._fetch_transaction_id(due)
        if transaction_id is None:
            log_line = log.bind(**due.log_fields()).error
            message = "refund not sent: payment unknown to Paystack"
            log_throttled(log_line, message, about=due.reference, every=HOUR)
            await self._schedule_next(due)
            return
        await self._apply(due, await self.paystack.refunds.list_for_transaction(transaction_id))
        async with self.sessions() as session:
            is_due = Refund.next_attempt_at.is_(None) | (Refund.next_attempt_at <= func.now())
            query = select(Refund).where(
                Refund.payment_id == due.payment_id, Refund.status == RefundStatus.REQUESTED, is_due
            )
            requested = (await session.execute(query.order_by(Refund.number))).scalars().all()
        for refund in requested:
            # Right before the call, in one transaction: another executor, a refund on the dashboard or an operator may have come first.
            async with self.sessions.begin() as session:
                renewed = await self._renew(session, due, still_valid=True)
                if renewed is None:
                    return
                wanted = await may_be_sent(session, due.payment_id, refund.id)
            due = renewed
            if wanted:
                await self._send(due, refund)
        await self._schedule_next(due)

    async def _fetch_transaction_id(self, due: DuePayment) -> int | None:
        """Verify a payment without a stored `paystack_id`, store that id and return it. Paystack lists refunds only by this id."""
        charge = await self.paystack.transactions.verify(due.reference)
        if charge is None or charge.id is None:
            return None
        async with self.sessions.begin() as session:
            await session.execute(_update(due.payment_id, paystack_id=charge.id))
        return charge.id

    async def _send(self, due: DuePayment, refund: Refund) -> None:
        seconds_left = due.lease_ends - MARGIN_SECONDS - self._clock()
        if seconds_left <= 0:  # the process was suspended
            raise NoAnswer("the lease ended before the refund was sent")
        try:
            async with asyncio.timeout(seconds_left):
                reported = await self.paystack.refunds.create(
                    due.reference,
                    refund.amount,
                    refund.currency,
                    note=merchant_note(refund),
                    customer_note=refund.reason,
                )
        except TimeoutError as error:
            raise NoAnswer("no answer before the end of the lease") from error
        except Refused as refused:
            async with self.sessions.begin() as session:
                await record_refusal(session, refund, refused)
            return
        log.info(
            "refund sent",
            **due.log_fields(),
            refund=str(refund.id),
            amount=format_money(refund.amount, refund.currency),
        )
        await self._apply(due, [reported])

    async def _apply(self, due: DuePayment, reported: list[PaystackRefund]) -> None:
        async with self.sessions.begin() as session:
            await sync_refunds(session, due.payment_id, reported)
        self.notifier.wake_local(Topic.OUTBOX)

    async def _schedule_next(self, due: DuePayment) -> None:
        """End the lease. While a refund is unfinished, schedule the next sync with exponential backoff.

        If all unfinished refunds wait because Paystack refused them, the next sync is when the first of them is sent again.
        If another sync was scheduled meanwhile, for example by a webhook event, its time is not changed.
        """
        pause = timedelta(seconds=BACKOFF.seconds(due.attempts - 1))
        async with self.sessions.begin() as session:
            unfinished = select(func.coalesce(Refund.next_attempt_at, func.now() + pause)).where(
                Refund.payment_id == due.payment_id, Refund.status.in_(UNFINISHED)
            )
            times = (await session.execute(unfinished)).scalars().all()
            is_unfinished = bool(times)
            rescheduled = Payment.refunds_next_attempt_at != due.due_at
            next_at = literal(min(times, default=None), DateTime(timezone=True))
            ended = _update(
                due.payment_id,
                refunds_next_attempt_at=case((rescheduled, Payment.refunds_next_attempt_at), else_=next_at),
                refunds_leased_until=None,
                refunds_attempts=Payment.refunds_attempts if is_unfinished else 0,
            )
            await session.execute(ended.where(Payment.refunds_leased_until == due.leased_until))


def _update(payment_id: int, **values: object) -> Update:
    return update(Payment).where(Payment.id == payment_id).values(values)
