"""Paystack's own paths for disputes."""

import sqlite3

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.disputes import bodies, book, uploads
from sandbox.disputes import request as requests
from sandbox.disputes.book import STATUSES, Filter
from sandbox.disputes.errors import DisputeNotFound
from sandbox.disputes.life import found
from sandbox.door import queries
from sandbox.door.documents import PAGING, PERIOD, body_of, query_of
from sandbox.door.guard import PaystackRoute
from sandbox.integration import Merchant
from sandbox.transactions import ledger
from sandbox.transactions.initialization import fields
from sandbox.wire import succeeded

TEXT, COUNT = {"type": "string"}, {"type": "integer"}
UPDATE = {
    "type": "object",
    "required": ["refund_amount"],
    "properties": {"refund_amount": COUNT, "uploaded_filename": TEXT},
}
EVIDENCE = {
    "type": "object",
    "required": list(requests.NEEDED),
    "properties": dict.fromkeys((*requests.NEEDED, *requests.WELCOME), TEXT),
}
RESOLVE = {
    "type": "object",
    "required": ["resolution", "message", "refund_amount", "uploaded_filename"],
    "properties": {
        "resolution": {"enum": ["merchant-accepted", "declined"]},
        "message": TEXT,
        "refund_amount": COUNT,
        "uploaded_filename": TEXT,
        "evidence": COUNT,
    },
}

router = APIRouter(prefix="/dispute", tags=["Paystack's API"], route_class=PaystackRoute)


@router.get("", name="disputes", openapi_extra=query_of("status", "transaction", *PERIOD, *PAGING))
async def list_disputes(request: Request, merchant: Merchant) -> Response:
    """Disputes, newest first: status, transaction (numeric id), from, to, perPage, page."""
    query = request.query_params
    wanted = Filter(
        transaction_id=queries.numeric_id(query, "transaction"),
        status=queries.choice(query, "status", STATUSES),
        since=queries.instant(query, "from"),
        until=queries.instant(query, "to"),
    )
    asked = queries.slice_of(query)

    def job(connection: sqlite3.Connection) -> Response:
        disputes, total = book.page(connection, wanted, asked.per_page, asked.skipped)
        transactions = ledger.find_all(connection, {each.transaction_id for each in disputes})
        listed = [
            bodies.listed(each, transactions[each.transaction_id])
            for each in disputes
            if each.transaction_id in transactions
        ]
        return succeeded("Disputes retrieved", listed, meta=asked.meta(total))

    return await merchant.store.run(job)


@router.get("/transaction/{number}", name="disputes")
async def of_transaction(number: str, merchant: Merchant) -> Response:
    """The latest dispute of a transaction, by the transaction's numeric id."""
    wanted = requests.number(number)

    def job(connection: sqlite3.Connection) -> Response:
        dispute = book.latest_of(connection, wanted)
        if dispute is None:
            raise DisputeNotFound
        return succeeded("Dispute retrieved successfully", bodies.of_transaction(*found(connection, dispute.id)))

    return await merchant.store.run(job)


@router.get("/{number}", name="disputes")
async def fetch(number: str, merchant: Merchant) -> Response:
    """One dispute by its numeric id."""
    wanted = requests.number(number)
    dispute, transaction = await merchant.store.run(lambda connection: found(connection, wanted))
    return succeeded("Dispute retrieved", bodies.fetched(dispute, transaction))


@router.put("/{number}", name="dispute", openapi_extra=body_of(UPDATE))
async def update(number: str, request: Request, merchant: Merchant) -> Response:
    """Change the sum that would be given back, or add an uploaded file."""
    wanted = requests.number(number)
    sent = fields(request.headers.get("content-type", ""), await request.body())
    amount, filename = requests.refund_amount(sent), requests.filename(sent)
    dispute, transaction = await merchant.store.run(
        lambda connection: merchant.disputes.update(connection, wanted, amount, filename)
    )
    return succeeded("Dispute updated successfully", bodies.fetched(dispute, transaction))


@router.get("/{number}/upload_url", name="disputes", openapi_extra=query_of("upload_filename"))
async def upload_url(number: str, merchant: Merchant) -> Response:
    """Where to PUT a file (upload_filename, which the specification and Paystack's SDK leave out); half an hour long."""
    wanted = requests.number(number)
    await merchant.store.run(lambda connection: found(connection, wanted))
    name, settings = uploads.new_name(), merchant.settings
    address = uploads.address(settings.origin, settings.key, name)
    return succeeded("Upload url generated", {"signedUrl": address, "fileName": name})


@router.post("/{number}/evidence", name="dispute", openapi_extra=body_of(EVIDENCE))
async def add_evidence(number: str, request: Request, merchant: Merchant) -> Response:
    """What speaks for the merchant; the newest stands."""
    wanted = requests.number(number)
    evidence = requests.evidence(fields(request.headers.get("content-type", ""), await request.body()))
    dispute = await merchant.store.run(lambda connection: merchant.disputes.prove(connection, wanted, evidence))
    return succeeded("Evidence created", bodies.proved(dispute))


@router.put("/{number}/resolve", name="dispute", openapi_extra=body_of(RESOLVE))
async def resolve(number: str, request: Request, merchant: Merchant) -> Response:
    """merchant-accepted gives refund_amount back at once; declined leaves it to the bank."""
    wanted = requests.number(number)
    answer = requests.answer(fields(request.headers.get("content-type", ""), await request.body()))
    dispute, transaction = await merchant.store.run(
        lambda connection: merchant.disputes.answer(connection, wanted, answer)
    )
    merchant.wake()
    return succeeded("Dispute successfully resolved", bodies.resolved(dispute, transaction))
