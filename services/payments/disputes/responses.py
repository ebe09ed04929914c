"""Respond to disputes: upload evidence, accept or decline. No database transaction is open during the calls to Paystack.

A response is ours, to a dispute. An answer is what Paystack returns to a call.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit import entries as audit
from kit.audit.actor import Actor
from kit.errors import Problem
from services.payments.clients import problem_from_paystack
from services.payments.disputes import records
from services.payments.disputes.schemas import Evidence, ResolveDispute
from services.payments.errors import DisputeNotAwaitingResponse, DisputeNotFound, DisputeRefused
from services.payments.models import AuditLogEntry, Dispute, DisputeResolution, DisputeStatus
from services.payments.paystack.client import Paystack
from services.payments.paystack.disputes import PaystackDispute, Upload
from services.payments.paystack.errors import NoAnswer, PaystackError

AWAITING_RESPONSE = frozenset({DisputeStatus.AWAITING_MERCHANT_FEEDBACK, DisputeStatus.PENDING})
log = structlog.get_logger("disputes")


async def create_upload_url(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, dispute_id: int, filename: str
) -> Upload:
    """Create an upload URL for a file of evidence.

    Raises DisputeNotFound, DisputeNotAwaitingResponse, DisputeRefused, PaystackUnavailable, as do the other functions here.
    """
    await _find_awaiting_response(sessions, dispute_id)
    try:
        return await paystack.disputes.create_upload_url(dispute_id, filename)
    except PaystackError as error:
        raise await _problem_after_error(sessions, dispute_id, error) from error


async def add_evidence(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, dispute_id: int, evidence: Evidence, actor: Actor
) -> Dispute:
    """Send evidence to Paystack and record it. New evidence replaces earlier evidence, so it may be sent again."""
    dispute = await _find_awaiting_response(sessions, dispute_id)
    body = evidence.model_dump(mode="json", exclude_none=True)
    # The values describe the customer; the dispute's row has them.
    await _record(sessions, actor, "dispute.evidence_added", dispute, {"fields": sorted(body)})
    try:
        evidence_id = await paystack.disputes.add_evidence(dispute_id, body)
    except PaystackError as error:
        raise await _problem_after_error(sessions, dispute_id, error) from error
    async with sessions.begin() as session:
        return await _set_values(session, dispute_id, evidence=body, evidence_id=evidence_id)


async def resolve_dispute(
    sessions: async_sessionmaker[AsyncSession],
    paystack: Paystack,
    dispute_id: int,
    request: ResolveDispute,
    actor: Actor,
) -> Dispute:
    """Send our response to a dispute to Paystack: accept or decline it. Then record the response.

    If Paystack's answer is lost, the dispute is fetched. Raises PaystackUnavailable if it cannot be fetched, or if the fetched dispute
    still waits for our response.
    """
    dispute = await _find_awaiting_response(sessions, dispute_id)
    body = _resolve_body(dispute, request)
    response = {"resolution": body["resolution"], "refund_amount": body["refund_amount"]}
    await _record(sessions, actor, "dispute.responded", dispute, response, request.message)
    reported = await _resolve_at_paystack(sessions, paystack, dispute_id, body)
    async with sessions.begin() as session:
        # An answer about another dispute is not applied; the poll reads the state of the right one.
        if reported.id == dispute_id:
            await records.apply(session, reported)
        await records.schedule_poll(session, dispute_id)
        return await _set_values(session, dispute_id, response_message=request.message, responded_by=actor.id)


async def _resolve_at_paystack(
    sessions: async_sessionmaker[AsyncSession], paystack: Paystack, dispute_id: int, body: dict[str, Any]
) -> PaystackDispute:
    """Send our response. Return the dispute as Paystack's answer has it or, if the answer is lost, as it is fetched afterwards."""
    try:
        return await paystack.disputes.resolve(dispute_id, body)
    except NoAnswer as error:
        fetched = await _fetch(paystack, dispute_id)
        if fetched is None or records.dispute_status(fetched) in AWAITING_RESPONSE:
            raise await _problem_after_error(sessions, dispute_id, error) from error
        return fetched
    except PaystackError as error:
        raise await _problem_after_error(sessions, dispute_id, error) from error


async def _record(
    sessions: async_sessionmaker[AsyncSession],
    actor: Actor,
    act: str,
    dispute: Dispute,
    after: Mapping[str, object],
    reason: str | None = None,
) -> None:
    """Record an act in the audit log before the call to Paystack, so that it is recorded even if the answer is lost."""
    async with sessions.begin() as session:
        before = {"status": dispute.status, "reference": dispute.reference}
        await audit.record(session, AuditLogEntry, actor, act, dispute.id, before=before, after=after, reason=reason)


def _resolve_body(dispute: Dispute, request: ResolveDispute) -> dict[str, Any]:
    """Return the body of Paystack's resolve call. The default amount is the disputed amount if accepted, 0 if declined."""
    body: dict[str, Any] = request.model_dump(mode="json", exclude_none=True)
    if request.refund_amount is None:
        accepted = request.resolution == DisputeResolution.MERCHANT_ACCEPTED
        body["refund_amount"] = (dispute.amount or 0) if accepted else 0
    if dispute.evidence_id is not None:
        body["evidence"] = dispute.evidence_id
    return body


async def _fetch(paystack: Paystack, dispute_id: int) -> PaystackDispute | None:
    try:
        return await paystack.disputes.fetch(dispute_id)
    except PaystackError as error:
        log.warning("dispute not fetched", dispute=dispute_id, error=type(error).__name__, reason=str(error)[:200])
        return None


async def _find_awaiting_response(sessions: async_sessionmaker[AsyncSession], dispute_id: int) -> Dispute:
    async with sessions() as session:
        dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one_or_none()
    if dispute is None:
        raise DisputeNotFound
    if dispute.status not in AWAITING_RESPONSE:
        raise DisputeNotAwaitingResponse(f"The dispute is {dispute.status}: it does not accept a response any more.")
    return dispute


async def _set_values(session: AsyncSession, dispute_id: int, **values: object) -> Dispute:
    """Lock a dispute, set attributes and return it."""
    found = await session.execute(select(Dispute).where(Dispute.id == dispute_id).with_for_update())
    dispute = found.scalar_one()
    for name, value in values.items():
        setattr(dispute, name, value)
    await session.flush()
    return dispute


async def _problem_after_error(
    sessions: async_sessionmaker[AsyncSession], dispute_id: int, error: PaystackError
) -> Problem:
    """Schedule a poll, because Paystack may have changed the dispute before the error. Return the problem for our client."""
    async with sessions.begin() as session:
        await records.schedule_poll(session, dispute_id)
    return problem_from_paystack(error, DisputeRefused)
