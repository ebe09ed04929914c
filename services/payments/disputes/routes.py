"""What those may ask about disputes who hold the scope payments:refund."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from sqlalchemy import literal, select, tuple_

from kit.errors import NotAllowed, NotAuthenticated, problem_responses
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from services.payments.auth import RefundOperator
from services.payments.clients import CurrentClients
from services.payments.db import CurrentNotifier, Topic, Transaction, sessions
from services.payments.disputes import responses as answering
from services.payments.disputes.schemas import (
    DisputePage,
    DisputeView,
    Evidence,
    RequestUpload,
    Resolve,
    UploadView,
)
from services.payments.errors import (
    DisputeNotAwaitingResponse,
    DisputeNotFound,
    DisputeRefused,
    NotConfigured,
    PaystackUnavailable,
)
from services.payments.models import Dispute

router = APIRouter(prefix="/payments/disputes", tags=["disputes"])
DisputeId = Annotated[int, Path(ge=0, lt=2**63, description="Paystack's number of the dispute")]
TO_PAYSTACK = problem_responses(
    NotAuthenticated,
    NotAllowed,
    DisputeNotFound,
    NotConfigured,
    DisputeNotAwaitingResponse,
    DisputeRefused,
    PaystackUnavailable,
)


@router.get("", responses=problem_responses(NotAuthenticated, NotAllowed, InvalidCursor))
async def list_disputes(
    _: RefundOperator,
    session: Transaction,
    state: Annotated[
        Literal["open", "over"], Query(description="open: due soonest first; over: latest first")
    ] = "open",
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> DisputePage:
    """Disputes that a person must answer before they are due, or those of the past."""
    key = tuple_(Dispute.due_at, Dispute.id)
    sort = f"disputes {state}"
    query = select(Dispute).limit(limit + 1)
    if state == "open":
        query = query.where(Dispute.lost.is_(None)).order_by(Dispute.due_at, Dispute.id)
    else:
        query = query.where(Dispute.lost.is_not(None)).order_by(Dispute.due_at.desc(), Dispute.id.desc())
    if cursor is not None:
        due_at, last = decode_cursor(cursor, sort, datetime, int)
        after = tuple_(literal(due_at), last)
        query = query.where(key > after if state == "open" else key < after)
    found = list((await session.execute(query)).scalars())
    page, next_cursor = split_page(found, limit, lambda row: encode_cursor(sort, row.due_at, row.id))
    return DisputePage(items=[DisputeView.model_validate(dispute) for dispute in page], next_cursor=next_cursor)


@router.get("/{dispute_id}", responses=problem_responses(NotAuthenticated, NotAllowed, DisputeNotFound))
async def read(_: RefundOperator, session: Transaction, dispute_id: DisputeId) -> DisputeView:
    """How a dispute stands, as far as we have heard."""
    dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one_or_none()
    if dispute is None:
        raise DisputeNotFound
    return DisputeView.model_validate(dispute)


@router.post("/{dispute_id}/uploads", status_code=201, responses=TO_PAYSTACK)
async def upload(_: RefundOperator, clients: CurrentClients, dispute_id: DisputeId, asked: RequestUpload) -> UploadView:
    """An address to which a file goes that speaks for us."""
    address = await answering.upload_address(sessions, clients.paystack, dispute_id, asked.filename)
    return UploadView(upload_url=address.url, uploaded_filename=address.filename)


@router.post("/{dispute_id}/evidence", responses=TO_PAYSTACK)
async def add_evidence(
    _: RefundOperator, clients: CurrentClients, dispute_id: DisputeId, evidence: Evidence
) -> DisputeView:
    """What speaks for us. The newest stands."""
    return DisputeView.model_validate(await answering.add_evidence(sessions, clients.paystack, dispute_id, evidence))


@router.post("/{dispute_id}/resolve", responses=TO_PAYSTACK)
async def resolve(
    caller: RefundOperator, clients: CurrentClients, notifier: CurrentNotifier, dispute_id: DisputeId, asked: Resolve
) -> DisputeView:
    """Accept: money goes back at once. Decline: the bank decides, on what we sent."""
    dispute = await answering.resolve(sessions, clients.paystack, dispute_id, asked, caller)
    notifier.notify(Topic.DISPUTES, Topic.REFUNDS, Topic.OUTBOX)
    return DisputeView.model_validate(dispute)
