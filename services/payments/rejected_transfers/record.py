"""Record rejected transfers of webhook events. matching.py finds their payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.after_commit import after_commit
from services.payments.models import Payment
from services.payments.paystack.rejected_transfers import PaystackRejectedTransfer
from services.payments.rejected_transfers.models import RejectedTransfer

log = structlog.get_logger("transfers")


@dataclass(frozen=True, slots=True)
class ReportedRejection:
    """The report of a webhook event that Paystack rejected a transfer. `identity` of the event; `received_at`: when it was received."""

    identity: str
    received_at: datetime
    transfer: PaystackRejectedTransfer


async def record(session: AsyncSession, reported: Sequence[ReportedRejection]) -> None:
    """Record rejected transfers, and make them due for matching. A recorded transfer that has no payment becomes due again."""
    rows = {
        each.identity: {
            "identity": each.identity,
            "transaction_id": each.transfer.transaction_id,
            "amount": each.transfer.amount,
            "reason": each.transfer.reason,
            "message": each.transfer.message,
            "rejected_at": each.received_at,
            "next_attempt_at": func.now(),
        }
        for each in reported
    }
    if not rows:
        return
    # Sorted, so that two transactions insert the same identities in the same order.
    new = insert(RejectedTransfer).values([rows[identity] for identity in sorted(rows)])
    new_or_without_payment = new.on_conflict_do_update(
        index_elements=["identity"],
        set_={"next_attempt_at": func.now(), "attempts": 0, "failures": 0, "failed_at": None, "error": None},
        where=RejectedTransfer.payment_id.is_(None),
    )
    due = set((await session.execute(new_or_without_payment.returning(RejectedTransfer.identity))).scalars())
    recorded = [each.transfer for each in {each.identity: each for each in reported}.values() if each.identity in due]
    after_commit(session, _log, recorded)


def _log(recorded: Sequence[PaystackRejectedTransfer]) -> None:
    for each in recorded:
        log.warning(
            "bank transfer rejected by Paystack",
            transaction=each.transaction_id,
            reason=each.reason,
            amount=each.amount,
        )


def transfers_with_payments() -> Select[RejectedTransfer, str | None, str | None]:
    """Select rejected transfers, newest first, with the references and currencies of their payments."""
    query = select(RejectedTransfer, Payment.reference, Payment.currency)
    joined = query.join(Payment, Payment.id == RejectedTransfer.payment_id, isouter=True)
    return joined.order_by(RejectedTransfer.id.desc())


async def list_transfers(
    session: AsyncSession, limit: int, *, without_payment: bool = False, failed: bool = False, before: int | None = None
) -> Sequence[Row[RejectedTransfer, str | None, str | None]]:
    """Return up to `limit` rejected transfers, newest first, with the references and currencies of their payments.

    `without_payment`: only those whose payment is not known (yet). `failed`: only those that need an operator. With `before`, only those
    with a smaller id.
    """
    query = transfers_with_payments().limit(limit)
    if without_payment:
        query = query.where(RejectedTransfer.payment_id.is_(None))
    if failed:
        query = query.where(RejectedTransfer.failed_at.is_not(None))
    if before is not None:
        query = query.where(RejectedTransfer.id < before)
    return (await session.execute(query)).all()


async def transfers_of(session: AsyncSession, payment_id: int) -> Sequence[RejectedTransfer]:
    """Return the rejected transfers of a payment, oldest first."""
    query = select(RejectedTransfer).where(RejectedTransfer.payment_id == payment_id).order_by(RejectedTransfer.id)
    return (await session.execute(query)).scalars().all()
