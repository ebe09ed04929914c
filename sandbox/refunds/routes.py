"""Paystack's calls for refunds: create, retry, fetch and list."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api import query_string
from sandbox.api.fields import parse_fields
from sandbox.api.openapi import PAGING, PERIOD, body_of, query_of
from sandbox.paystack_route import PaystackRoute
from sandbox.refunds import bodies, queries
from sandbox.refunds.errors import RefundNotFound
from sandbox.refunds.models import Filter
from sandbox.refunds.parsing import parse_account_currency, parse_refund_id, parse_refund_request
from sandbox.responses import success
from sandbox.state import CurrentState
from sandbox.transactions import queries as transaction_queries

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)

CREATE = {
    "type": "object",
    "required": ["transaction"],
    "properties": {
        "transaction": {"description": "Reference or numeric id.", "anyOf": [{"type": "string"}, {"type": "integer"}]},
        "amount": {"type": "integer", "description": "Subunits. Omitted: the original amount of the transaction."},
        "currency": {"type": "string", "description": "Must be the currency of the transaction."},
        "customer_note": {"type": "string"},
        "merchant_note": {"type": "string"},
    },
    "example": {"transaction": "order-1", "amount": 100000, "currency": "NGN"},
}
RETRY = {
    "type": "object",
    "required": ["refund_account_details"],
    "properties": {
        "refund_account_details": {
            "type": "object",
            "required": ["currency", "account_number", "bank_id"],
            "properties": {
                "currency": {"type": "string"},
                "account_number": {"type": "string"},
                "bank_id": {"type": "string"},
            },
        }
    },
}


@router.post("/refund", name="refund_writes", summary="Create a refund", openapi_extra=body_of(CREATE))
async def create_refund(request: Request, state: CurrentState) -> Response:
    """Create a full or partial refund. It is pending at first. A webhook reports each status, also pending."""
    wanted = parse_refund_request(parse_fields(request.headers.get("content-type", ""), await request.body()))
    enough_balance = not state.fault_injector.faults.insufficient_balance
    refund, transaction = await state.store.run(
        lambda connection: state.refunds.create(connection, wanted, enough_balance=enough_balance)
    )
    state.notify()
    return success("Refund has been queued for processing", bodies.created_body(refund, transaction))


@router.post(
    "/refund/retry_with_customer_details/{refund_id}",
    name="refund_writes",
    summary="Retry a refund",
    openapi_extra=body_of(RETRY),
)
async def retry_refund(refund_id: str, request: Request, state: CurrentState) -> Response:
    """Continue a refund that needs attention, with the payer's bank account."""
    row_id = parse_refund_id(refund_id)
    currency = parse_account_currency(parse_fields(request.headers.get("content-type", ""), await request.body()))
    refund = await state.store.run(lambda connection: state.refunds.retry(connection, row_id, currency))
    state.notify()
    return success("Refund retried and has been queued for processing", bodies.retried_body(refund))


@router.get("/refund/{refund_id}", name="refund_reads", summary="Fetch a refund")
async def fetch_refund(refund_id: str, state: CurrentState) -> Response:
    """Show one refund by its numeric id."""
    row_id = parse_refund_id(refund_id)

    def job(connection: sqlite3.Connection) -> Response:
        refund = queries.find(connection, row_id)
        if refund is None:
            raise RefundNotFound
        transaction = transaction_queries.find_by_id(connection, refund.transaction_id)
        return success("Refund retrieved", bodies.fetched_body(refund, transaction))

    return await state.store.run(job)


@router.get(
    "/refund",
    name="refund_reads",
    summary="List refunds",
    openapi_extra=query_of("transaction", "currency", *PERIOD, *PAGING),
)
async def list_refunds(request: Request, state: CurrentState) -> Response:
    """List refunds, newest first. `transaction` is a numeric id; a reference finds nothing."""
    query = request.query_params
    wanted = Filter(
        transaction_id=query_string.parse_numeric_id(query, "transaction"),
        currency=query.get("currency") or None,
        since=query_string.parse_time(query, "from"),
        until=query_string.parse_time(query, "to"),
    )
    page = query_string.parse_page(query)

    def job(connection: sqlite3.Connection) -> Response:
        found = queries.list_page(connection, wanted, page.per_page, page.skipped)
        transactions = transaction_queries.find_by_ids(connection, {refund.transaction_id for refund in found.refunds})
        data = [bodies.listed_body(refund, transactions.get(refund.transaction_id)) for refund in found.refunds]
        return success("Refunds retrieved", data, meta=page.meta(found.total) | {"failedRefundCount": found.failed})

    return await state.store.run(job)
