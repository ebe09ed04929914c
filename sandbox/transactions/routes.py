"""Paystack's own paths for transactions: initialize, verify, fetch, list and what is made of them."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.door import queries
from sandbox.door.cursors import cursor_of, leaf
from sandbox.door.documents import PAGING, PERIOD, body_of, query_of
from sandbox.door.guard import PaystackRoute
from sandbox.door.queries import NUMERIC_ID
from sandbox.errors import NoTimeline, ReferenceNotFound, TransactionNotFound
from sandbox.integration import Merchant
from sandbox.transactions import bodies, initialization, ledger
from sandbox.transactions.initialization import DEFAULT_CURRENCY
from sandbox.transactions.ledger import Filter, Transaction
from sandbox.transactions.timeline import timeline
from sandbox.wire import succeeded

STATUSES = ("success", "failed", "abandoned", "reversed")


router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)


INITIALIZE = {
    "type": "object",
    "required": ["email", "amount"],
    "properties": {
        "email": {"type": "string", "format": "email"},
        "amount": {"description": "Subunits.", "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "currency": {"type": "string", "description": "Left out or null: the default currency, NGN, silently."},
        "reference": {"type": "string", "description": "Letters, digits and - . =, never used before."},
        "callback_url": {"type": "string", "format": "uri"},
        "metadata": {"anyOf": [{"type": "object"}, {"type": "string"}]},
        "label": {"type": "string"},
    },
    "example": {"email": "ada@example.com", "amount": 250000, "currency": "NGN"},
}


@router.post(
    "/transaction/initialize",
    name="initialize",
    openapi_extra=body_of(INITIALIZE),
)
async def initialize(request: Request, merchant: Merchant) -> Response:
    """Start a transaction and get the address of its checkout page."""
    sent = initialization.fields(request.headers.get("content-type", ""), await request.body())
    opening = initialization.opening(sent)
    settings = merchant.settings
    added = await merchant.store.run(lambda connection: ledger.add(connection, opening, settings.domain))
    return succeeded(
        "Authorization URL created",
        {
            "authorization_url": f"{settings.origin}/checkout/{added.access_code}",
            "access_code": added.access_code,
            "reference": added.reference,
        },
    )


@router.get("/transaction/verify/{reference}", name="verify")
async def verify(reference: str, merchant: Merchant) -> Response:
    """How a transaction stands. The call succeeds for unpaid ones too: read data.status."""
    transaction = await merchant.store.run(lambda connection: ledger.find(connection, reference))
    if transaction is None:
        raise ReferenceNotFound
    return succeeded("Verification successful", bodies.verified(transaction))


@router.get("/transaction/totals", name="totals", openapi_extra=query_of(*PERIOD))
async def totals(request: Request, merchant: Merchant) -> Response:
    """What was paid (from, to), and what of it is not settled; the plain totals are those of the default currency."""
    query = request.query_params
    since, until = queries.instant(query, "from"), queries.instant(query, "to")
    found = await merchant.store.run(lambda connection: ledger.totals(connection, since, until))
    volumes = {each.currency: each.volume for each in found}
    pending = {each.currency: each.pending for each in found}
    return succeeded(
        "Transaction totals",
        {
            "total_transactions": sum(each.count for each in found),
            "total_volume": volumes.get(DEFAULT_CURRENCY, 0),
            "total_volume_by_currency": [{"currency": each, "amount": volumes[each]} for each in volumes],
            "pending_transfers": pending.get(DEFAULT_CURRENCY, 0),
            "pending_transfers_by_currency": [{"currency": each, "amount": pending[each]} for each in pending],
        },
    )


@router.get("/transaction/timeline/{which}", name="timeline")
async def show_timeline(which: str, merchant: Merchant) -> Response:
    """What the payer did, by numeric id or reference."""

    def job(connection: sqlite3.Connection) -> Transaction | None:
        by_id = ledger.find_by_id(connection, int(which)) if NUMERIC_ID.fullmatch(which) else None
        return by_id or ledger.find(connection, which)

    transaction = await merchant.store.run(job)
    if transaction is None:
        raise NoTimeline
    return succeeded("Timeline retrieved", timeline(transaction))


@router.get("/transaction/{number}", name="fetch")
async def fetch(number: str, merchant: Merchant) -> Response:
    """One transaction by its numeric id."""
    if not NUMERIC_ID.fullmatch(number):
        raise TransactionNotFound
    transaction = await merchant.store.run(lambda connection: ledger.find_by_id(connection, int(number)))
    if transaction is None:
        raise TransactionNotFound
    return succeeded("Transaction retrieved", bodies.fetched(transaction))


LISTING = ("status", "customer", "amount", "channel", "settlement", *PERIOD, *PAGING, "use_cursor", "next", "previous")


@router.get("/transaction", name="list", openapi_extra=query_of(*LISTING))
async def list_transactions(request: Request, merchant: Merchant) -> Response:
    """Transactions, newest first: perPage, page, status, customer (numeric id), amount, channel, settlement, from, to.

    With use_cursor=true there are no totals, and meta.next and meta.previous lead on.
    """
    query = request.query_params
    wanted = Filter(
        status=queries.choice(query, "status", STATUSES),
        customer=queries.numeric_id(query, "customer"),
        amount=queries.number(query, "amount"),
        channel=query.get("channel") or None,
        settlement=queries.number(query, "settlement"),
        since=queries.instant(query, "from"),
        until=queries.instant(query, "to"),
    )
    if query.get("use_cursor") == "true":
        cursor = cursor_of(query, queries.per_page(query))
        rows = await merchant.store.run(lambda connection: ledger.turned(connection, wanted, cursor))
        kept, turn = leaf(cursor, rows, lambda each: each.id)
        return succeeded("Transactions retrieved", [bodies.listed(each) for each in kept], meta=turn)
    asked = queries.slice_of(query)
    found = await merchant.store.run(lambda connection: ledger.page(connection, wanted, asked.per_page, asked.skipped))
    listed = [bodies.listed(each) for each in found.transactions]
    return succeeded("Transactions retrieved", listed, meta=asked.meta(found.total, total_volume=found.volume))
