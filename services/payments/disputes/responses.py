"""Our answers to a dispute: evidence, and accept or decline. No transaction is open while Paystack is asked."""

from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.auth import Caller
from kit.errors import Problem
from services.payments.clients import problem_from_paystack
from services.payments.disputes import records
from services.payments.disputes.schemas import Evidence, Resolve
from services.payments.errors import DisputeNotAwaitingResponse, DisputeNotFound, DisputeRefused
from services.payments.models import Dispute, DisputeResolution, DisputeStatus
from services.payments.paystack.client import Paystack
from services.payments.paystack.disputes import PaystackDispute, Upload
from services.payments.paystack.errors import NoAnswer, PaystackError

WAITING = frozenset({DisputeStatus.AWAITING_MERCHANT_FEEDBACK, DisputeStatus.PENDING})
log = structlog.get_logger("disputes")


async def upload_address(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, dispute_id: int, filename: str
) -> Upload:
    """Raises DisputeNotFound, DisputeNotWaiting, DisputeRefused, PaystackUnavailable; so for all of these."""
    await _waiting(sessions, dispute_id)
    try:
        return await paystack.disputes.create_upload_url(dispute_id, filename)
    except PaystackError as error:
        raise await _problem(sessions, dispute_id, error) from error


async def add_evidence(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, dispute_id: int, evidence: Evidence
) -> Dispute:
    """The newest evidence stands; sent again, it does no harm."""
    await _waiting(sessions, dispute_id)
    sent = evidence.model_dump(mode="json", exclude_none=True)
    try:
        number = await paystack.disputes.add_evidence(dispute_id, sent)
    except PaystackError as error:
        raise await _problem(sessions, dispute_id, error) from error
    async with sessions.begin() as session:
        return await _write(session, dispute_id, evidence=sent, evidence_id=number)


async def resolve(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, dispute_id: int, asked: Resolve, caller: Caller
) -> Dispute:
    """Where the answer to our answer is lost, Paystack is asked what became of it before anything is said."""
    dispute = await _waiting(sessions, dispute_id)
    answer: dict[str, Any] = asked.model_dump(mode="json", exclude_none=True)
    if asked.refund_amount is None:
        answer["refund_amount"] = (
            (dispute.amount or 0) if asked.resolution == DisputeResolution.MERCHANT_ACCEPTED else 0
        )
    if dispute.evidence_id is not None:
        answer["evidence"] = dispute.evidence_id
    try:
        told = await paystack.disputes.resolve(dispute_id, answer)
    except NoAnswer as error:
        looked = await _look(paystack, dispute_id)
        if looked is None or records.dispute_status(looked) in WAITING:
            raise await _problem(sessions, dispute_id, error) from error
        told = looked
    except PaystackError as error:
        raise await _problem(sessions, dispute_id, error) from error
    async with sessions.begin() as session:
        # An answer about another dispute would be nonsense: the watch finds out.
        if told.id == dispute_id:
            await records.apply(session, told)
        await records.schedule_poll(session, dispute_id)
        return await _write(session, dispute_id, answer=asked.message, answered_by=caller.id)


async def _look(paystack: Paystack, dispute_id: int) -> PaystackDispute | None:
    try:
        return await paystack.disputes.fetch(dispute_id)
    except PaystackError as error:
        log.warning("dispute could not be looked at", dispute=dispute_id, reason=str(error)[:200])
        return None


async def _waiting(sessions: async_sessionmaker[AsyncSession], dispute_id: int) -> Dispute:
    async with sessions() as session:
        dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one_or_none()
    if dispute is None:
        raise DisputeNotFound
    if dispute.status not in WAITING:
        raise DisputeNotAwaitingResponse(f"The dispute is {dispute.status}.")
    return dispute


async def _write(session: AsyncSession, dispute_id: int, **values: object) -> Dispute:
    found = await session.execute(select(Dispute).where(Dispute.id == dispute_id).with_for_update())
    dispute = found.scalar_one()
    for name, value in values.items():
        setattr(dispute, name, value)
    await session.flush()
    return dispute


async def _problem(sessions: async_sessionmaker[AsyncSession], dispute_id: int, error: PaystackError) -> Problem:
    """Return the problem to answer, and schedule a poll: whatever went wrong, Paystack may have changed the dispute."""
    async with sessions.begin() as session:
        await records.schedule_poll(session, dispute_id)
    return problem_from_paystack(error, DisputeRefused)
