"""Routes of disputes. All require the scope payments:refund."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from sqlalchemy import literal, select, tuple_

from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, Limit, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from services.payments.auth import RefundActor, RefundOperator
from services.payments.clients import CurrentClients
from services.payments.db import CurrentNotifier, Reading, Topic, sessions
from services.payments.disputes import responses
from services.payments.disputes.schemas import (
    DisputePage,
    DisputeView,
    Evidence,
    RequestUpload,
    ResolveDispute,
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

router = Router(prefix="/payments/disputes", tags=["disputes"])
DisputeId = Annotated[int, Path(ge=0, lt=2**63, description="Paystack's id of the dispute")]
PROBLEMS = problem_responses(
    DisputeNotFound,
    NotConfigured,
    DisputeNotAwaitingResponse,
    DisputeRefused,
    PaystackUnavailable,
)
"""Problems of the routes that send a response to Paystack."""


@router.get("", summary="List disputes", responses=problem_responses(InvalidCursor))
async def list_disputes(
    _: RefundOperator,
    session: Reading,
    state: Annotated[
        Literal["open", "over"],
        Query(
            description="`open`: not resolved, the earliest `due_at` first; `over`: resolved, the latest `due_at` first"
        ),
    ] = "open",
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> DisputePage:
    """Return the open or the resolved disputes, as `state` says. Requires the scope `payments:refund`.

    An open dispute that waits for our response needs it before `due_at`.
    """
    key = tuple_(Dispute.due_at, Dispute.id)
    list_name = f"disputes {state}"
    query = select(Dispute).limit(limit + 1)
    if state == "open":
        query = query.where(Dispute.lost.is_(None)).order_by(Dispute.due_at, Dispute.id)
    else:
        query = query.where(Dispute.lost.is_not(None)).order_by(Dispute.due_at.desc(), Dispute.id.desc())
    if cursor is not None:
        due_at, last_id = decode_cursor(cursor, list_name, datetime, int)
        last = tuple_(literal(due_at), last_id)
        query = query.where(key > last if state == "open" else key < last)
    disputes = list((await session.execute(query)).scalars())
    page, next_cursor = split_page(
        disputes, limit, lambda dispute: encode_cursor(list_name, dispute.due_at, dispute.id)
    )
    return DisputePage(items=[DisputeView.model_validate(dispute) for dispute in page], next_cursor=next_cursor)


@router.get(
    "/{dispute_id}",
    summary="Get a dispute",
    responses=problem_responses(DisputeNotFound),
)
async def get_dispute(_: RefundOperator, session: Reading, dispute_id: DisputeId) -> DisputeView:
    """Return a dispute in the state that Paystack reported last. Requires the scope `payments:refund`."""
    dispute = (await session.execute(select(Dispute).where(Dispute.id == dispute_id))).scalar_one_or_none()
    if dispute is None:
        raise DisputeNotFound
    return DisputeView.model_validate(dispute)


@router.post(
    "/{dispute_id}/uploads",
    status_code=201,
    summary="Create an upload URL for dispute evidence",
    responses=PROBLEMS,
)
async def create_upload_url(
    _: RefundOperator, clients: CurrentClients, dispute_id: DisputeId, request: RequestUpload
) -> UploadView:
    """Create an upload URL. PUT the file there within 30 minutes, then pass `uploaded_filename` to `/resolve`.

    Requires the scope `payments:refund`.
    """
    upload = await responses.create_upload_url(sessions, clients.paystack, dispute_id, request.filename)
    return UploadView(upload_url=upload.url, uploaded_filename=upload.filename)


@router.post("/{dispute_id}/evidence", summary="Add evidence to a dispute", responses=PROBLEMS)
async def add_evidence(
    actor: RefundActor, clients: CurrentClients, dispute_id: DisputeId, evidence: Evidence
) -> DisputeView:
    """Send evidence that the order was fulfilled. It replaces earlier evidence. Requires the scope `payments:refund`."""
    dispute = await responses.add_evidence(sessions, clients.paystack, dispute_id, evidence, actor)
    return DisputeView.model_validate(dispute)


@router.post("/{dispute_id}/resolve", summary="Accept or decline a dispute", responses=PROBLEMS)
async def resolve_dispute(
    actor: RefundActor,
    clients: CurrentClients,
    notifier: CurrentNotifier,
    dispute_id: DisputeId,
    request: ResolveDispute,
) -> DisputeView:
    """Respond to a dispute. If you accept it, the payer is refunded; if you decline it, the bank decides on the evidence.

    Requires the scope `payments:refund`.
    """
    dispute = await responses.resolve_dispute(sessions, clients.paystack, dispute_id, request, actor)
    notifier.notify(Topic.DISPUTES, Topic.REFUNDS, Topic.OUTBOX)
    return DisputeView.model_validate(dispute)
