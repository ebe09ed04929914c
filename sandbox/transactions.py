"""Paystack's own paths: initialize, verify, fetch, list."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox import bodies, initialization, ledger, queries
from sandbox.documents import body_of
from sandbox.errors import ReferenceNotFound, TransactionNotFound
from sandbox.guard import PaystackRoute
from sandbox.integration import Merchant
from sandbox.ledger import Filter
from sandbox.queries import NUMERIC_ID
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


@router.get("/transaction/{number}", name="fetch")
async def fetch(number: str, merchant: Merchant) -> Response:
    """One transaction by its numeric id."""
    if not NUMERIC_ID.fullmatch(number):
        raise TransactionNotFound
    transaction = await merchant.store.run(lambda connection: ledger.find_by_id(connection, int(number)))
    if transaction is None:
        raise TransactionNotFound
    return succeeded("Transaction retrieved", bodies.fetched(transaction))


@router.get("/transaction", name="list")
async def list_transactions(request: Request, merchant: Merchant) -> Response:
    """Transactions, newest first: perPage, page, status, customer (numeric id), amount, from, to."""
    query = request.query_params
    wanted = Filter(
        status=queries.choice(query, "status", STATUSES),
        customer=queries.numeric_id(query, "customer"),
        amount=queries.number(query, "amount"),
        since=queries.instant(query, "from"),
        until=queries.instant(query, "to"),
    )
    asked = queries.slice_of(query)
    found = await merchant.store.run(lambda connection: ledger.page(connection, wanted, asked.per_page, asked.skipped))
    listed = [bodies.listed(each) for each in found.transactions]
    return succeeded("Transactions retrieved", listed, meta=asked.meta(found.total, total_volume=found.volume))
