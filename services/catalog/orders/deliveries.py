"""List deliveries without personal data, for the reconciliation of payments."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from kit.fields import Moment, ReferenceText
from kit.http.routing import Router
from kit.pagination import CursorParam, InvalidCursor, decode_cursor, encode_cursor, split_page
from kit.problem_responses import problem_responses
from kit.schemas import PageResponse, ResponseModel, example
from services.catalog.auth import OrdersReader
from services.catalog.db import Reading
from services.catalog.order_models import Order
from services.catalog.orders.models import Delivery, OrderPayment
from services.catalog.statuses import OrderStatus

router = Router(prefix="/catalog/deliveries", tags=["orders"])

LIST_NAME = "deliveries"
"""A cursor is valid only for the list with this name."""

MAX_PAGE = 1000
MAX_REFERENCES = 100

FromParam = Annotated[Moment | None, Query(alias="from", description="Only deliveries at this time or later")]
ToParam = Annotated[Moment | None, Query(description="Only deliveries before this time")]
ReferencesParam = Annotated[
    list[ReferenceText],
    Query(
        max_length=MAX_REFERENCES,
        description="Only the order that the payment with this reference paid for; repeat it for several",
    ),
]
PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number of items on the page")]


class DeliveryView(ResponseModel):
    model_config = example(
        {
            "order_id": "0b9f7f3e-3c55-4f4e-8a8f-1f3a6f0e4a51",
            "payment_reference": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "amount": 9_000_000,
            "currency": "NGN",
            "status": "delivered",
            "delivered_at": "2026-03-01T09:32:00Z",
        }
    )

    order_id: UUID = Field(description="Id of the order")
    payment_reference: str | None = Field(
        description="Reference of the payment that paid for the order; null for an order of amount 0"
    )
    amount: int = Field(description="Amount of the order, in subunits of the currency")
    currency: str = Field(description="ISO 4217 code")
    status: OrderStatus = Field(description="Status of the order")
    delivered_at: datetime | None = Field(
        description="When the order was delivered; null if it is paid but not delivered: only requests with `reference` and without `from` "
        "and `to` return such orders"
    )


class DeliveryPage(PageResponse[DeliveryView]):
    """One page of deliveries."""


COLUMNS = (
    Order.id.label("order_id"),
    func.coalesce(Delivery.payment_reference, Order.payment_reference).label("payment_reference"),
    Order.amount,
    Order.currency,
    Order.status,
    Delivery.delivered_at,
)


@router.get("", summary="List deliveries", responses=problem_responses(InvalidCursor))
async def list_deliveries(
    _: OrdersReader,
    session: Reading,
    from_: FromParam = None,
    to: ToParam = None,
    reference: ReferencesParam = [],  # noqa: B006 -- FastAPI does not change it
    limit: PageLimit = 100,
    cursor: CursorParam = None,
) -> DeliveryPage:
    """Return the deliveries of a period, oldest first, to compare them with payments. They contain no personal data.

    With `reference`, return the orders for which these payments paid, and ignore `limit` and `cursor`. Those that are not delivered yet
    are left out if `from` or `to` is set. Requires the scope `orders:read`.
    """
    period = _period(from_, to)
    if reference:
        return DeliveryPage(items=await _of_payments(session, reference, period), next_cursor=None)
    query = select(*COLUMNS).join(Order, Order.id == Delivery.order_id).where(*period)
    if cursor is not None:
        position = tuple_(Delivery.delivered_at, Delivery.order_id)
        query = query.where(position > tuple_(*decode_cursor(cursor, LIST_NAME, datetime, UUID)))
    rows = await session.execute(query.order_by(Delivery.delivered_at, Delivery.order_id).limit(limit + 1))
    page, next_cursor = split_page(
        rows.all(), limit, lambda row: encode_cursor(LIST_NAME, row.delivered_at, row.order_id)
    )
    return DeliveryPage(items=[DeliveryView.model_validate(row) for row in page], next_cursor=next_cursor)


def _period(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if since is not None:
        found.append(Delivery.delivered_at >= since)
    if until is not None:
        found.append(Delivery.delivered_at < until)
    return found


async def _of_payments(
    session: AsyncSession, references: Sequence[str], period: Sequence[ColumnElement[bool]]
) -> list[DeliveryView]:
    paid = (OrderPayment.reference.in_(references), Order.payment_reference == OrderPayment.reference)
    query = select(*COLUMNS).select_from(OrderPayment).join(Order, Order.id == OrderPayment.order_id)
    query = query.outerjoin(Delivery, Delivery.order_id == Order.id).where(*paid, *period).order_by(Order.id)
    return [DeliveryView.model_validate(row) for row in await session.execute(query)]
