"""Paystack's calls for transactions: initialize, verify, fetch, list, totals and timeline."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api import query_string
from sandbox.api.cursors import cursor_page, parse_cursor
from sandbox.api.fields import parse_fields
from sandbox.api.openapi import PAGING, PERIOD, body_of, query_of
from sandbox.api.query_string import NUMERIC_ID
from sandbox.enums import CheckoutChannel, TransactionStatus
from sandbox.errors import ReferenceNotFound, TimelineNotFound, TransactionNotFound
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import success
from sandbox.state import CurrentState
from sandbox.transactions import bodies, queries
from sandbox.transactions.models import Filter, Transaction
from sandbox.transactions.parsing import DEFAULT_CURRENCY, parse_initialize
from sandbox.transactions.timeline import timeline_body

LISTED_STATUSES = (
    TransactionStatus.SUCCESS,
    TransactionStatus.FAILED,
    TransactionStatus.ABANDONED,
    TransactionStatus.REVERSED,
)
"""Statuses by which Paystack's list can be filtered."""


router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)


INITIALIZE = {
    "type": "object",
    "required": ["email", "amount"],
    "properties": {
        "email": {"type": "string", "format": "email"},
        "amount": {"description": "Subunits.", "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "currency": {"type": "string", "description": "Omitted or null: NGN."},
        "reference": {
            "type": "string",
            "description": "Letters, digits and - . = _; must be unused. Omitted: generated.",
        },
        "callback_url": {"type": "string", "format": "uri"},
        "metadata": {"anyOf": [{"type": "object"}, {"type": "string"}]},
        "label": {"type": "string"},
        "channels": {
            "type": "array",
            "items": {"enum": list(CheckoutChannel)},
            "description": "Channels of the checkout page. Omitted: all.",
        },
    },
    "example": {"email": "ada@example.com", "amount": 250000, "currency": "NGN"},
}


@router.post(
    "/transaction/initialize",
    name="initialize",
    summary="Initialize a transaction",
    openapi_extra=body_of(INITIALIZE),
)
async def initialize(request: Request, state: CurrentState) -> Response:
    """Start a transaction and return the URL of its checkout page."""
    new = parse_initialize(parse_fields(request.headers.get("content-type", ""), await request.body()))
    settings = state.settings
    added = await state.store.run(lambda connection: queries.add(connection, new, settings.domain))
    return success(
        "Authorization URL created",
        {
            "authorization_url": f"{settings.origin}/checkout/{added.access_code}",
            "access_code": added.access_code,
            "reference": added.reference,
        },
    )


@router.get("/transaction/verify/{reference}", name="verify", summary="Verify a transaction")
async def verify(reference: str, state: CurrentState) -> Response:
    """Show the status of a transaction. The call also succeeds if the transaction is not paid; the result is in `data.status`."""
    transaction = await state.store.run(lambda connection: queries.find(connection, reference))
    if transaction is None:
        raise ReferenceNotFound
    return success("Verification successful", bodies.verified_body(transaction))


@router.get("/transaction/totals", name="totals", summary="Show transaction totals", openapi_extra=query_of(*PERIOD))
async def totals(request: Request, state: CurrentState) -> Response:
    """Sum the amounts that were paid, and the amounts that are not paid out yet. `total_volume` and `pending_transfers` are in NGN."""
    query = request.query_params
    since, until = query_string.parse_time(query, "from"), query_string.parse_time(query, "to")
    found = await state.store.run(lambda connection: queries.sum_by_currency(connection, since, until))
    volumes = {total.currency: total.volume for total in found}
    not_paid_out = {total.currency: total.not_paid_out for total in found}
    return success(
        "Transaction totals",
        {
            "total_transactions": sum(total.count for total in found),
            "total_volume": volumes.get(DEFAULT_CURRENCY, 0),
            "total_volume_by_currency": [
                {"currency": currency, "amount": amount} for currency, amount in volumes.items()
            ],
            "pending_transfers": not_paid_out.get(DEFAULT_CURRENCY, 0),
            "pending_transfers_by_currency": [
                {"currency": currency, "amount": amount} for currency, amount in not_paid_out.items()
            ],
        },
    )


@router.get("/transaction/timeline/{id_or_reference}", name="timeline", summary="Show the timeline of a transaction")
async def show_timeline(id_or_reference: str, state: CurrentState) -> Response:
    """Show what the payer did on the checkout page. The path contains the numeric id or the reference of the transaction."""

    def job(connection: sqlite3.Connection) -> Transaction | None:
        is_id = NUMERIC_ID.fullmatch(id_or_reference)
        by_id = queries.find_by_id(connection, int(id_or_reference)) if is_id else None
        return by_id or queries.find(connection, id_or_reference)

    transaction = await state.store.run(job)
    if transaction is None:
        raise TimelineNotFound
    return success("Timeline retrieved", timeline_body(transaction))


@router.get("/transaction/{transaction_id}", name="fetch", summary="Fetch a transaction")
async def fetch(transaction_id: str, state: CurrentState) -> Response:
    """Show one transaction by its numeric id."""
    if not NUMERIC_ID.fullmatch(transaction_id):
        raise TransactionNotFound
    transaction = await state.store.run(lambda connection: queries.find_by_id(connection, int(transaction_id)))
    if transaction is None:
        raise TransactionNotFound
    return success("Transaction retrieved", bodies.fetched_body(transaction))


LIST_PARAMETERS = (
    "status",
    "customer",
    "amount",
    "channel",
    "settlement",
    *PERIOD,
    *PAGING,
    "use_cursor",
    "next",
    "previous",
)


@router.get("/transaction", name="list", summary="List transactions", openapi_extra=query_of(*LIST_PARAMETERS))
async def list_transactions(request: Request, state: CurrentState) -> Response:
    """List transactions, newest first. `customer` is a numeric id.

    With `use_cursor=true` the response has no totals, and `meta.next` and `meta.previous` are cursors.
    """
    query = request.query_params
    wanted = Filter(
        status=query_string.parse_choice(query, "status", LISTED_STATUSES),
        customer=query_string.parse_numeric_id(query, "customer"),
        amount=query_string.parse_integer(query, "amount"),
        channel=query.get("channel") or None,
        settlement=query_string.parse_integer(query, "settlement"),
        since=query_string.parse_time(query, "from"),
        until=query_string.parse_time(query, "to"),
    )
    if query.get("use_cursor") == "true":
        cursor = parse_cursor(query, query_string.parse_per_page(query))
        rows = await state.store.run(lambda connection: queries.list_from_cursor(connection, wanted, cursor))
        transactions, meta = cursor_page(cursor, rows, lambda transaction: transaction.id)
        return success("Transactions retrieved", [bodies.listed_body(each) for each in transactions], meta=meta)
    page = query_string.parse_page(query)
    found = await state.store.run(lambda connection: queries.list_page(connection, wanted, page.per_page, page.skipped))
    data = [bodies.listed_body(transaction) for transaction in found.transactions]
    return success("Transactions retrieved", data, meta=page.meta(found.total, total_volume=found.volume))
