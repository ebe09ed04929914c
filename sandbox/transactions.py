"""Paystack's own paths: initialize, verify, fetch, list."""

import hmac
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from sandbox import bodies, initialization, ledger
from sandbox.errors import InvalidKey, InvalidParams, ReferenceNotFound, Refusal, TransactionNotFound
from sandbox.integration import Merchant, integration
from sandbox.ledger import Filter
from sandbox.wire import succeeded

PER_PAGE = 50
PER_PAGE_LIMIT = 100
NUMERIC_ID = re.compile(r"[0-9]{1,18}")
STATUSES = ("success", "failed", "abandoned", "reversed")
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PaystackRoute(APIRoute):
    """Every call shows the secret key, counts against the rate limit and meets the weather."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            here = integration(request)
            limits: dict[str, str] = {}
            try:
                shown = request.headers.get("authorization", "").encode("latin-1", "replace")
                if not hmac.compare_digest(shown, b"Bearer " + here.settings.key):
                    raise InvalidKey
                limits = here.faults.spend()
                response = await here.faults.through(self.name, request, partial(handle, request))
            except Refusal as refused:
                response = refused.response()
            for name, value in limits.items():
                response.headers.setdefault(name, value)
            return response

        return guarded


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
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": INITIALIZE},
                "application/x-www-form-urlencoded": {"schema": INITIALIZE},
            },
        }
    },
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


def _number(name: str, sent: str | None, default: int | None = None) -> int | None:
    if sent is None or sent == "":
        return default
    if not NUMERIC_ID.fullmatch(sent):
        raise InvalidParams(f"{name} must be a whole number")
    return int(sent)


def _instant(name: Literal["from", "to"], sent: str | None) -> int | None:
    if sent is None or sent == "":
        return None
    try:
        moment = datetime.fromisoformat(sent)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InvalidParams(f"{name} must be an ISO 8601 date or time") from error


@router.get("/transaction", name="list")
async def list_transactions(request: Request, merchant: Merchant) -> Response:
    """Transactions, newest first: perPage, page, status, customer (numeric id), amount, from, to."""
    query = request.query_params
    # A customer code in place of the numeric id gives an empty list and no error, as on the test API.
    customer = query.get("customer") or None
    customer_id = int(customer) if customer and NUMERIC_ID.fullmatch(customer) else None
    wanted = Filter(
        status=query.get("status") or None,
        customer=customer_id if customer_id is not None or customer is None else -1,
        amount=_number("amount", query.get("amount")),
        since=_instant("from", query.get("from")),
        until=_instant("to", query.get("to")),
    )
    if wanted.status not in (None, *STATUSES):
        raise InvalidParams(f"status must be one of {', '.join(STATUSES)}")
    per_page = min(_number("perPage", query.get("perPage"), PER_PAGE) or PER_PAGE, PER_PAGE_LIMIT)
    page = min(_number("page", query.get("page"), 1) or 1, 1_000_000_000)
    skipped = (page - 1) * per_page
    found = await merchant.store.run(lambda connection: ledger.page(connection, wanted, per_page, skipped))
    meta = {
        "total": found.total,
        "total_volume": found.volume,
        "skipped": skipped,
        "perPage": per_page,
        "page": page,
        "pageCount": -(-found.total // per_page),
    }
    return succeeded("Transactions retrieved", [bodies.listed(each) for each in found.transactions], meta=meta)
