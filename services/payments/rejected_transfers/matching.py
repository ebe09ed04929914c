"""Find the payments of rejected transfers.

The webhook event has only Paystack's id of the transaction, and an unpaid payment does not know this id. So Paystack is asked for the
transaction, whose reference is that of the payment. Nothing is guessed from the customer's e-mail address: a customer can have several
unpaid payments.

If Paystack refuses the request, or gives no usable answer, it is asked again with growing pauses. After MAX_FAILURES the transfer needs an
operator, who can have it tried again (retry.py). If Paystack rejects our secret key (401) or the rate limit is used up (429), that
says nothing about the transfer and does not count as a failure.
"""

from typing import Any, NamedTuple

import structlog
from prometheus_client import Counter
from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from contracts.events import Event
from contracts.money import format_money
from kit.db.after_commit import after_commit
from kit.log_throttling import log_failure
from kit.messaging import outbox
from kit.messaging.notifier import Notifier
from kit.observability.tracing import continue_trace
from kit.worker.backoff import Backoff
from kit.worker.due_rows import take_due
from kit.worker.shutdown import Shutdown
from services.payments.db import Topic
from services.payments.events import transfer_rejected
from services.payments.models import OutboxRow, Payment
from services.payments.paystack.client import Paystack
from services.payments.paystack.errors import NoAnswer, PaystackError, Refused
from services.payments.rejected_transfers.models import RejectedTransfer

POLL_SECONDS = 2.0
BACKOFF = Backoff(first=60, longest=6 * 3600)
MAX_FAILURES = 20
"""Failures before a transfer needs an operator. With BACKOFF, the last one is about two and a half days after the first."""

transfers_rejected_total = Counter(
    "transfers_rejected_total",
    "Bank transfers that Paystack rejected, by result: matched with a payment, unmatched, or failed (needs an operator)",
    ["result"],
)
log = structlog.get_logger("transfers")


class DueTransfer(NamedTuple):
    """A rejected transfer whose payment is looked up."""

    id: int
    transaction_id: int


class TransferMatcher:
    """The background job that matches rejected transfers with payments. Several may run: they share the due transfers."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], paystack: Paystack, notifier: Notifier) -> None:
        self.sessions = sessions
        self.paystack = paystack
        self._notifier = notifier
        self._wakeup = notifier.subscribe(Topic.TRANSFERS)

    async def run(self, shutdown: Shutdown) -> None:
        """Match rejected transfers as they become due, until the process is asked to stop."""
        while not shutdown.requested:
            try:
                if await self.match_next(shutdown):
                    continue
            except PaystackError as error:
                log_failure(log.warning, "rejected transfer not matched yet", error)
            await shutdown.wait(POLL_SECONDS, self._wakeup)

    async def match_next(self, shutdown: Shutdown) -> bool:
        """Match the next due transfer. Return False if none is due or the process is asked to stop.

        Raises PaystackError if Paystack did not name the payment; the transfer is then retried with exponential backoff.
        """
        due = take_due(
            RejectedTransfer.id,
            RejectedTransfer.transaction_id,
            key=RejectedTransfer.id,
            due_at=RejectedTransfer.next_attempt_at,
            attempts=RejectedTransfer.attempts,
            lease=BACKOFF.interval(RejectedTransfer.attempts),
        )
        async with self.sessions.begin() as session:
            row = (await session.execute(due)).one_or_none()
        if row is None or not await self.paystack.rate_limit.acquire("other_calls", shutdown):
            return False
        transfer = DueTransfer(*row)
        try:
            charge = await self.paystack.transactions.fetch(transfer.transaction_id)
        except (Refused, NoAnswer) as error:
            async with self.sessions.begin() as session:
                failed = await _record_failure(session, transfer, error)
            if not failed:
                raise
            return True
        async with self.sessions.begin() as session:
            if charge is None:
                await _give_up(session, transfer, "Paystack has no transaction with this id")
            else:
                await match(session, transfer, charge.reference)
        self._notifier.notify(Topic.OUTBOX)
        return True


async def match(session: AsyncSession, due: DueTransfer, reference: str) -> None:
    """Record that a rejected transfer belongs to the payment with this reference, and publish payment.transfer_rejected."""
    found = await session.execute(select(Payment).where(Payment.reference == reference).with_for_update())
    payment = found.scalar_one_or_none()
    if payment is None:
        await _give_up(session, due, f"there is no payment {reference}")
        return
    matched = (
        update(RejectedTransfer)
        .where(RejectedTransfer.id == due.id, RejectedTransfer.payment_id.is_(None))
        .values(payment_id=payment.id, matched_at=func.now(), next_attempt_at=None, error=None)
        .returning(RejectedTransfer)
    )
    transfer = (await session.execute(matched)).scalar_one_or_none()
    if transfer is None:  # another worker has matched it after the lease of this one had ended
        return
    payment.last_rejected_transfer = await _last_of(session, payment)
    if payment.order_id is not None:
        await outbox.add(session, OutboxRow, event_of(payment, transfer))
    with continue_trace(payment.traceparent):
        after_commit(
            session,
            _log_and_count_match,
            reference=reference,
            order_id=str(payment.order_id) if payment.order_id else None,
            reason=transfer.reason,
            amount=None if transfer.amount is None else format_money(transfer.amount, payment.currency),
        )


def event_of(payment: Payment, transfer: RejectedTransfer) -> Event:
    """Return payment.transfer_rejected of a matched transfer, always with the same id."""
    return transfer_rejected(
        payment,
        identity=transfer.identity,
        amount=transfer.amount,
        reason=transfer.reason,
        message=transfer.message,
    )


async def _last_of(session: AsyncSession, payment: Payment) -> dict[str, Any]:
    """Return the last rejected transfer of a payment as `last_rejected_transfer` stores it. Webhook events can arrive in any order."""
    of_payment = select(RejectedTransfer).where(RejectedTransfer.payment_id == payment.id)
    newest = of_payment.order_by(RejectedTransfer.rejected_at.desc(), RejectedTransfer.id.desc()).limit(1)
    last = (await session.execute(newest)).scalar_one()
    return {
        "amount": last.amount,
        "reason": last.reason,
        "message": last.message,
        "at": last.rejected_at.isoformat(),
    }


async def _give_up(session: AsyncSession, due: DueTransfer, error: str) -> None:
    """Record why a transfer has no payment. It is looked up again if an operator wants it, or if its webhook event is reprocessed."""
    unmatched = update(RejectedTransfer).where(RejectedTransfer.id == due.id, RejectedTransfer.payment_id.is_(None))
    await session.execute(unmatched.values(next_attempt_at=None, error=error))
    after_commit(session, _log_and_count_unmatched, transaction=due.transaction_id, reason=error)


async def _record_failure(session: AsyncSession, due: DueTransfer, error: PaystackError) -> bool:
    """Record that Paystack did not name the payment of a transfer. Return True if that happened too often: it needs an operator now."""
    failures = RejectedTransfer.failures + 1
    too_many = failures >= MAX_FAILURES
    recorded = (
        update(RejectedTransfer)
        .where(RejectedTransfer.id == due.id, RejectedTransfer.next_attempt_at.is_not(None))
        .values(
            failures=failures,
            error=f"Paystack did not name the payment: {error}"[:500],
            next_attempt_at=case((too_many, None), else_=RejectedTransfer.next_attempt_at),
            failed_at=case((too_many, func.now()), else_=None),
        )
        .returning(RejectedTransfer.failed_at)
    )
    failed = (await session.execute(recorded)).scalar_one_or_none() is not None
    if failed:
        after_commit(session, _log_and_count_failed, transaction=due.transaction_id, error=str(error)[:200])
    return failed


def _log_and_count_match(**fields: str | None) -> None:
    transfers_rejected_total.labels("matched").inc()
    log.info("rejected transfer matched", **fields)


def _log_and_count_unmatched(**fields: object) -> None:
    transfers_rejected_total.labels("unmatched").inc()
    log.warning("rejected transfer has no payment", **fields)


def _log_and_count_failed(**fields: object) -> None:
    transfers_rejected_total.labels("failed").inc()
    log.error("rejected transfer needs an operator: Paystack does not name its payment", **fields)
