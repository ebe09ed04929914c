"""An operator has the payment of a rejected transfer looked up again, for example after Paystack has corrected an error."""

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.db.after_commit import after_commit
from services.payments.errors import RejectedTransferMatched, RejectedTransferNotFound
from services.payments.models import AuditLogEntry
from services.payments.rejected_transfers.models import RejectedTransfer
from services.payments.rejected_transfers.schemas import MatchStatus

log = structlog.get_logger("transfers")


async def retry(session: AsyncSession, transfer_id: int, actor: Actor) -> RejectedTransfer:
    """Make a rejected transfer without a payment due for matching now, and count its failures from 0 again. Idempotent.

    Raises RejectedTransferNotFound, RejectedTransferMatched.
    """
    query = select(RejectedTransfer).where(RejectedTransfer.id == transfer_id).with_for_update()
    transfer = (await session.execute(query)).scalar_one_or_none()
    if transfer is None:
        raise RejectedTransferNotFound
    if transfer.payment_id is not None:
        raise RejectedTransferMatched
    before = {"status": MatchStatus.of(transfer), "failures": transfer.failures, "error": transfer.error}
    transfer.next_attempt_at = func.now()
    transfer.attempts = transfer.failures = 0
    transfer.failed_at = transfer.error = None
    await session.flush()
    await session.refresh(transfer)
    after = {"status": MatchStatus.of(transfer)}
    await audit.record(
        session, AuditLogEntry, actor, "rejected_transfer.retried", transfer.id, before=before, after=after
    )
    after_commit(session, log.warning, "rejected transfer scheduled again", transfer=transfer.id, by=actor.id)
    return transfer
