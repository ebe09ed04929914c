"""Paystack's own paths for refunds."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.door import queries
from sandbox.door.documents import PAGING, PERIOD, body_of, query_of
from sandbox.door.guard import PaystackRoute
from sandbox.door.queries import NUMERIC_ID
from sandbox.integration import Merchant
from sandbox.refunds import bodies, book
from sandbox.refunds import request as requests
from sandbox.refunds.book import Filter
from sandbox.refunds.errors import RefundNotFound
from sandbox.transactions import ledger
from sandbox.transactions.initialization import fields
from sandbox.wire import succeeded

router = APIRouter(tags=["Paystack's API"], route_class=PaystackRoute)


def _number(sent: str) -> int:
    if not NUMERIC_ID.fullmatch(sent):
        raise RefundNotFound
    return int(sent)


CREATE = {
    "type": "object",
    "required": ["transaction"],
    "properties": {
        "transaction": {"description": "Reference or numeric id.", "anyOf": [{"type": "string"}, {"type": "integer"}]},
        "amount": {"type": "integer", "description": "Subunits. Left out: the whole original amount."},
        "currency": {"type": "string", "description": "That of the transaction."},
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


@router.post("/refund", name="refund", openapi_extra=body_of(CREATE))
async def create(request: Request, merchant: Merchant) -> Response:
    """Queue a refund, whole or in part. Answers it as pending; webhooks tell how it goes on."""
    asked = requests.asked(fields(request.headers.get("content-type", ""), await request.body()))
    refund, transaction = await merchant.store.run(lambda connection: merchant.refunds.begin(connection, asked))
    merchant.wake()
    return succeeded("Refund has been queued for processing", bodies.made(refund, transaction))


@router.post("/refund/retry_with_customer_details/{number}", name="refund", openapi_extra=body_of(RETRY))
async def retry(number: str, request: Request, merchant: Merchant) -> Response:
    """Give a refund that needs attention the payer's account."""
    wanted = _number(number)
    currency = requests.account_currency(fields(request.headers.get("content-type", ""), await request.body()))
    refund = await merchant.store.run(lambda connection: merchant.refunds.retry(connection, wanted, currency))
    merchant.wake()
    return succeeded("Refund retried and has been queued for processing", bodies.retried(refund))


@router.get("/refund/{number}", name="refunds")
async def fetch(number: str, merchant: Merchant) -> Response:
    """One refund by its numeric id."""
    wanted = _number(number)

    def job(connection: sqlite3.Connection) -> Response:
        refund = book.find(connection, wanted)
        if refund is None:
            raise RefundNotFound
        return succeeded(
            "Refund retrieved", bodies.fetched(refund, ledger.find_by_id(connection, refund.transaction_id))
        )

    return await merchant.store.run(job)


@router.get("/refund", name="refunds", openapi_extra=query_of("transaction", "currency", *PERIOD, *PAGING))
async def list_refunds(request: Request, merchant: Merchant) -> Response:
    """Refunds, newest first: transaction (numeric id: a reference finds none), currency, from, to, perPage, page."""
    query = request.query_params
    wanted = Filter(
        transaction_id=queries.numeric_id(query, "transaction"),
        currency=query.get("currency") or None,
        since=queries.instant(query, "from"),
        until=queries.instant(query, "to"),
    )
    asked = queries.slice_of(query)

    def job(connection: sqlite3.Connection) -> Response:
        found = book.page(connection, wanted, asked.per_page, asked.skipped)
        transactions = ledger.find_all(connection, {each.transaction_id for each in found.refunds})
        listed = [bodies.listed(each, transactions.get(each.transaction_id)) for each in found.refunds]
        return succeeded(
            "Refunds retrieved", listed, meta=asked.meta(found.total) | {"failedRefundCount": found.failed}
        )

    return await merchant.store.run(job)
