"""Paystack's calls for disputes."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api import query_string
from sandbox.api.fields import parse_fields
from sandbox.api.openapi import PAGING, PERIOD, body_of, query_of
from sandbox.disputes import bodies, parsing, queries, uploads
from sandbox.disputes.errors import DisputeNotFound
from sandbox.disputes.lifecycle import find_with_transaction
from sandbox.disputes.models import Filter
from sandbox.enums import DisputeStatus
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import success
from sandbox.state import CurrentState
from sandbox.transactions import queries as transaction_queries

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
UPDATE = {
    "type": "object",
    "required": ["refund_amount"],
    "properties": {"refund_amount": INTEGER, "uploaded_filename": TEXT},
}
EVIDENCE = {
    "type": "object",
    "required": list(parsing.REQUIRED_EVIDENCE),
    "properties": dict.fromkeys((*parsing.REQUIRED_EVIDENCE, *parsing.OPTIONAL_EVIDENCE), TEXT),
}
RESOLVE = {
    "type": "object",
    "required": ["resolution", "message", "refund_amount", "uploaded_filename"],
    "properties": {
        "resolution": {"enum": list(parsing.RESOLUTIONS)},
        "message": TEXT,
        "refund_amount": INTEGER,
        "uploaded_filename": TEXT,
        "evidence": INTEGER,
    },
}

router = APIRouter(prefix="/dispute", tags=["Paystack's API"], route_class=PaystackRoute)


@router.get(
    "", name="disputes", summary="List disputes", openapi_extra=query_of("status", "transaction", *PERIOD, *PAGING)
)
async def list_disputes(request: Request, state: CurrentState) -> Response:
    """List disputes, newest first. `transaction` is a numeric id."""
    query = request.query_params
    wanted = Filter(
        transaction_id=query_string.parse_numeric_id(query, "transaction"),
        status=query_string.parse_choice(query, "status", DisputeStatus),
        since=query_string.parse_time(query, "from"),
        until=query_string.parse_time(query, "to"),
    )
    page = query_string.parse_page(query)

    def job(connection: sqlite3.Connection) -> Response:
        disputes, total = queries.list_page(connection, wanted, page.per_page, page.skipped)
        transactions = transaction_queries.find_by_ids(connection, {dispute.transaction_id for dispute in disputes})
        data = [
            bodies.listed_body(dispute, transactions[dispute.transaction_id])
            for dispute in disputes
            if dispute.transaction_id in transactions
        ]
        return success("Disputes retrieved", data, meta=page.meta(total))

    return await state.store.run(job)


@router.get("/transaction/{transaction_id}", name="disputes", summary="Fetch the dispute of a transaction")
async def fetch_dispute_of_transaction(transaction_id: str, state: CurrentState) -> Response:
    """Show the latest dispute of a transaction. The path contains the numeric id of the transaction."""
    row_id = parsing.parse_id(transaction_id)

    def job(connection: sqlite3.Connection) -> Response:
        latest = queries.find_latest(connection, row_id)
        if latest is None:
            raise DisputeNotFound
        body = bodies.transaction_dispute_body(*find_with_transaction(connection, latest.id))
        return success("Dispute retrieved successfully", body)

    return await state.store.run(job)


@router.get("/{dispute_id}", name="disputes", summary="Fetch a dispute")
async def fetch_dispute(dispute_id: str, state: CurrentState) -> Response:
    """Show one dispute by its numeric id."""
    row_id = parsing.parse_id(dispute_id)
    dispute, transaction = await state.store.run(lambda connection: find_with_transaction(connection, row_id))
    return success("Dispute retrieved", bodies.fetched_body(dispute, transaction))


@router.put("/{dispute_id}", name="disputes", summary="Update a dispute", openapi_extra=body_of(UPDATE))
async def update_dispute(dispute_id: str, request: Request, state: CurrentState) -> Response:
    """Change the amount that is refunded if the merchant accepts, or add an uploaded file."""
    row_id = parsing.parse_id(dispute_id)
    fields = parse_fields(request.headers.get("content-type", ""), await request.body())
    amount, filename = parsing.parse_refund_amount(fields), parsing.parse_filename(fields)
    dispute, transaction = await state.store.run(
        lambda connection: state.disputes.update(connection, row_id, amount, filename)
    )
    return success("Dispute updated successfully", bodies.fetched_body(dispute, transaction))


@router.get(
    "/{dispute_id}/upload_url",
    name="disputes",
    summary="Create an upload URL",
    openapi_extra=query_of("upload_filename"),
)
async def create_upload_url(dispute_id: str, state: CurrentState) -> Response:
    """Create a URL to which an evidence file can be uploaded. PUT the file there within 30 minutes.

    `upload_filename` is optional, because Paystack's specification does not have it and Paystack's SDK does not send it.
    """
    row_id = parsing.parse_id(dispute_id)
    await state.store.run(lambda connection: find_with_transaction(connection, row_id))
    name, settings = uploads.new_name(), state.settings
    url = uploads.signed_url(settings.origin, settings.key, name)
    return success("Upload url generated", {"signedUrl": url, "fileName": name})


@router.post("/{dispute_id}/evidence", name="disputes", summary="Add evidence", openapi_extra=body_of(EVIDENCE))
async def add_evidence(dispute_id: str, request: Request, state: CurrentState) -> Response:
    """Store the merchant's evidence. New evidence replaces earlier evidence."""
    row_id = parsing.parse_id(dispute_id)
    evidence = parsing.parse_evidence(parse_fields(request.headers.get("content-type", ""), await request.body()))
    dispute = await state.store.run(lambda connection: state.disputes.add_evidence(connection, row_id, evidence))
    return success("Evidence created", bodies.evidence_body(dispute))


@router.put("/{dispute_id}/resolve", name="disputes", summary="Resolve a dispute", openapi_extra=body_of(RESOLVE))
async def resolve_dispute(dispute_id: str, request: Request, state: CurrentState) -> Response:
    """Respond to a dispute. `merchant-accepted` refunds refund_amount at once; `declined` leaves the decision to the bank."""
    row_id = parsing.parse_id(dispute_id)
    response = parsing.parse_response(parse_fields(request.headers.get("content-type", ""), await request.body()))
    dispute, transaction = await state.store.run(
        lambda connection: state.disputes.respond(connection, row_id, response)
    )
    state.notify()
    return success("Dispute successfully resolved", bodies.resolved_body(dispute, transaction))
