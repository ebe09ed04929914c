"""The status of an order, for the holder of its status token: a guest cannot log in again to read the order later."""

from datetime import datetime
from typing import Annotated, TypedDict

from fastapi import Depends, Path, Request
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from kit.errors import raises
from kit.http.client_address import TrustedProxies
from kit.http.rate_limit import TokenBuckets, TooManyRequests
from kit.http.routing import Router
from kit.problem_responses import problem_responses
from kit.schemas import ResponseModel, example
from services.catalog.db import Reading
from services.catalog.order_models import Order
from services.catalog.orders.errors import StatusTokenNotFound
from services.catalog.orders.schemas import OtherCurrencyRefund
from services.catalog.orders.status_tokens import status_tokens
from services.catalog.orders.views import SELECT_ORDERS, OrderRow, load_views
from services.catalog.statuses import OrderStatus

REQUESTS_PER_MINUTE = 600
"""The limit for each limit address: an IPv4 address or IPv6 /64 network (kit/http/client_address.py). It is high, because the customers of
a mobile network can share an address, and because it only protects the database: status tokens cannot be guessed."""

router = Router(prefix="/catalog/orders", tags=["orders"])

Token = Annotated[str, Path(min_length=1, max_length=100, description="`status_token` of the order")]


class StatusLimitState(TypedDict):
    """The attributes of `request.state` that the limit below needs."""

    status_requests: TokenBuckets


@raises(TooManyRequests)
async def limit_status_requests(request: Request) -> None:
    """Count a request for the limit address of the client. Raises TooManyRequests."""
    proxies: TrustedProxies = request.state.trusted_proxies
    buckets: TokenBuckets = request.state.status_requests
    address = await proxies.limit_address(request.scope)
    if address is not None:
        buckets.take(address)


class ItemStatusView(ResponseModel):
    name: str = Field(description="Name of the product when the order was placed")
    options: dict[str, str] = Field(description="Options of the variant, such as the size; empty without options")
    quantity: int = Field(description="Number of units")
    amount: int = Field(description="Price of these units, in subunits")
    packed: int = Field(description="Number of units that were packed, or already shipped or delivered")
    shipped: int = Field(description="Number of units that were shipped, or already delivered")
    delivered: int = Field(description="Number of units that were delivered")


class OrderStatusView(ResponseModel):
    model_config = example(
        {
            "number": "7K3M-9QXQ",
            "status": "pending",
            "amount": 9_000_000,
            "currency": "NGN",
            "created_at": "2026-03-01T09:30:00Z",
            "expires_at": "2026-03-01T09:45:00Z",
            "delivered_at": None,
            "refunded_amount": 0,
            "refunded_in_other_currency": None,
            "cancel_reason": None,
            "items": [
                {
                    "name": "Wireless headphones",
                    "options": {},
                    "quantity": 2,
                    "amount": 9_000_000,
                    "packed": 0,
                    "shipped": 0,
                    "delivered": 0,
                }
            ],
        }
    )

    number: str = Field(description="Short number of the order for phone calls")
    status: OrderStatus = Field(description="`pending` until it is paid, cancelled or expired")
    amount: int = Field(description="Amount to pay, in subunits of the currency")
    currency: str = Field(description="ISO 4217 code")
    created_at: datetime = Field(description="When the order was placed")
    expires_at: datetime = Field(description="The stock is reserved until this time, while the order is `pending`")
    delivered_at: datetime | None = Field(description="When all items were delivered; null if they were not")
    refunded_amount: int = Field(description="Amount of the order that was refunded so far, in subunits")
    refunded_in_other_currency: OtherCurrencyRefund
    cancel_reason: str | None = Field(description="Why the order was cancelled, or null")
    items: list[ItemStatusView] = Field(description="The products of the order")


@router.get(
    "/status/{status_token}",
    dependencies=[Depends(limit_status_requests)],
    summary="Get the status of an order by its status token",
    responses=problem_responses(StatusTokenNotFound),
)
async def get_order_status(status_token: Token, session: Reading) -> OrderStatusView:
    """Return the status of the order without an access token, at most 600 times a minute for each IPv4 address or IPv6 /64
    network.

    The response has no account, address, tracking number or payment reference, because a link with the token may be forwarded to others.
    """
    return await load_status(session, status_token)


async def load_status(session: AsyncSession, status_token: str) -> OrderStatusView:
    """Return the status of the order with this token. Raises StatusTokenNotFound."""
    order_id = status_tokens().order_of(status_token)
    if order_id is None:
        raise StatusTokenNotFound
    row = (await session.execute(SELECT_ORDERS.where(Order.id == order_id))).one_or_none()
    if row is None:  # it was deleted
        raise StatusTokenNotFound
    (view,) = await load_views(session, [OrderRow._make(row)])
    return OrderStatusView.model_validate(view)
