"""Paystack's own paths for settlements."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.door import queries
from sandbox.door.documents import PAGING, PERIOD, query_of
from sandbox.door.guard import PaystackRoute
from sandbox.door.queries import NUMERIC_ID
from sandbox.errors import Refusal
from sandbox.integration import Merchant
from sandbox.settlements import book
from sandbox.transactions import bodies, ledger
from sandbox.transactions.ledger import Filter
from sandbox.wire import succeeded

router = APIRouter(prefix="/settlement", tags=["Paystack's API"], route_class=PaystackRoute)


class SettlementNotFound(Refusal):
    """Settlement not found"""

    status = 404
    code = "not_found"


@router.get("", name="settlements", openapi_extra=query_of(*PERIOD, *PAGING))
async def list_settlements(request: Request, merchant: Merchant) -> Response:
    """Settlements, newest first: from, to, perPage, page."""
    query = request.query_params
    since, until = queries.instant(query, "from"), queries.instant(query, "to")
    asked = queries.slice_of(query)
    found, total = await merchant.store.run(
        lambda connection: book.page(connection, since, until, asked.per_page, asked.skipped)
    )
    return succeeded("Settlements retrieved", [book.body(each) for each in found], meta=asked.meta(total))


@router.get("/{number}/transaction", name="settlements", include_in_schema=False)  # so Paystack's Node SDK
@router.get("/{number}/transactions", name="settlements", openapi_extra=query_of(*PERIOD, *PAGING))
async def transactions(number: str, request: Request, merchant: Merchant) -> Response:
    """The transactions of a settlement, newest first: from, to, perPage, page."""
    if not NUMERIC_ID.fullmatch(number):
        raise SettlementNotFound
    query = request.query_params
    wanted = Filter(settlement=int(number), since=queries.instant(query, "from"), until=queries.instant(query, "to"))
    asked = queries.slice_of(query)
    settlement, found = await merchant.store.run(
        lambda connection: (
            book.find(connection, int(number)),
            ledger.page(connection, wanted, asked.per_page, asked.skipped),
        )
    )
    if settlement is None:
        raise SettlementNotFound
    listed = [bodies.listed(each) for each in found.transactions]
    return succeeded("Transactions retrieved", listed, meta=asked.meta(found.total, total_volume=found.volume))
