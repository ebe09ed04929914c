"""Paystack's calls for settlements."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from sandbox.api import query_string
from sandbox.api.openapi import PAGING, PERIOD, query_of
from sandbox.api.query_string import NUMERIC_ID
from sandbox.errors import ApiError
from sandbox.paystack_route import PaystackRoute
from sandbox.responses import success
from sandbox.settlements import queries
from sandbox.settlements.bodies import settlement_body
from sandbox.state import CurrentState
from sandbox.transactions import bodies as transaction_bodies
from sandbox.transactions import queries as transaction_queries
from sandbox.transactions.models import Filter

router = APIRouter(prefix="/settlement", tags=["Paystack's API"], route_class=PaystackRoute)


class SettlementNotFound(ApiError):
    """Settlement not found"""

    status = 404
    code = "not_found"


@router.get("", name="settlements", summary="List settlements", openapi_extra=query_of(*PERIOD, *PAGING))
async def list_settlements(request: Request, state: CurrentState) -> Response:
    """List settlements, newest first."""
    query = request.query_params
    since, until = query_string.parse_time(query, "from"), query_string.parse_time(query, "to")
    page = query_string.parse_page(query)
    settlements, total = await state.store.run(
        lambda connection: queries.list_page(connection, since, until, page.per_page, page.skipped)
    )
    data = [settlement_body(settlement) for settlement in settlements]
    return success("Settlements retrieved", data, meta=page.meta(total))


# The first path is the one that Paystack's Node SDK uses.
@router.get("/{settlement_id}/transaction", name="settlements", include_in_schema=False)
@router.get(
    "/{settlement_id}/transactions",
    name="settlements",
    summary="List the transactions of a settlement",
    openapi_extra=query_of(*PERIOD, *PAGING),
)
async def list_settled_transactions(settlement_id: str, request: Request, state: CurrentState) -> Response:
    """List the transactions of a settlement, newest first."""
    if not NUMERIC_ID.fullmatch(settlement_id):
        raise SettlementNotFound
    row_id, query = int(settlement_id), request.query_params
    wanted = Filter(
        settlement=row_id,
        since=query_string.parse_time(query, "from"),
        until=query_string.parse_time(query, "to"),
    )
    page = query_string.parse_page(query)
    settlement, found = await state.store.run(
        lambda connection: (
            queries.find(connection, row_id),
            transaction_queries.list_page(connection, wanted, page.per_page, page.skipped),
        )
    )
    if settlement is None:
        raise SettlementNotFound
    data = [transaction_bodies.listed_body(transaction) for transaction in found.transactions]
    return success("Transactions retrieved", data, meta=page.meta(found.total, total_volume=found.volume))
