"""The routes of orders."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from kit.account_limit import AccountLimit
from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import AnyActor, AnyCaller, Canceller, CancellingActor, GuestLimitAddress, OrderingCaller
from services.catalog.db import DatabaseTransaction, Reading
from services.catalog.errors import ProductNotFound
from services.catalog.models import IdempotencyKey
from services.catalog.orders import cancel, erasure, lists, place
from services.catalog.orders.errors import (
    AddressRequired,
    AddressStillNeeded,
    AmountTooLarge,
    AmountTooSmall,
    CancelReasonRequired,
    CurrenciesDiffer,
    CustomerRequired,
    OrderNotFound,
    OrderNotPending,
    OutOfStock,
    PriceMissing,
    ProductNotOffered,
    ReservationLimitReached,
    TooManyPendingOrders,
    TooManyPendingOrdersOfProgram,
    TooManyUnits,
    VariantRequired,
)
from services.catalog.orders.list_parameters import OrderFilters
from services.catalog.orders.numbers import OrderIdOrNumber
from services.catalog.orders.order_customer import customer_of
from services.catalog.orders.positions import OrderSort
from services.catalog.orders.schemas import CancelOrder, OrderPage, OrderView, PlaceOrder
from services.catalog.orders.transaction import OrderTransaction
from services.catalog.orders.views import as_stored, complete_stored

router = Router(prefix="/catalog/orders", tags=["orders"])

SortParam = Annotated[OrderSort, Query(description="Whether the newest or the oldest orders come first")]
OrderId = Annotated[OrderIdOrNumber, Path(description="Id or number of the order")]


@router.post(
    "",
    dependencies=[AccountLimit],
    status_code=201,
    response_model=OrderView,
    summary="Place an order",
    responses=problem_responses(
        ProductNotFound,
        ProductNotOffered,
        OutOfStock,
        TooManyPendingOrders,
        TooManyPendingOrdersOfProgram,
        ReservationLimitReached,
        TooManyUnits,
        VariantRequired,
        AddressRequired,
        CustomerRequired,
        PriceMissing,
        IdempotencyKeyInUse,
        CurrenciesDiffer,
        AmountTooLarge,
        AmountTooSmall,
        IdempotencyKeyReused,
    ),
)
async def place_order(
    request: PlaceOrder,
    caller: OrderingCaller,
    limit_address: GuestLimitAddress,
    session: OrderTransaction,
    key: KeyHeader = None,
) -> Response:
    """Place an order at the current prices. The stock is reserved until `expires_at`. Requires the scope `orders:write`.

    A program needs the scope `orders:write_for` instead: it orders for one of its own customers, whom it names in `customer`. Other callers
    cannot send `customer`. The order belongs to the program.

    If a request with an `Idempotency-Key` is repeated within 24 hours, no second order is placed, and the first response is returned.
    """
    idempotent = IdempotentRequest.of(caller.id, "place_order", key, request)
    customer = customer_of(caller, request.customer, limit_address)
    order = await place.place_order(session, customer, request, idempotent)
    return Response(order.model_dump_json(), 201, media_type="application/json")


@router.get("", summary="List orders", responses=problem_responses(InvalidCursor))
async def list_orders(
    selected: OrderFilters,
    session: Reading,
    sort: SortParam = OrderSort.NEWEST,
    limit: Limit = 20,
    cursor: CursorParam = None,
) -> OrderPage:
    """Return the caller's own orders, or with the scope `orders:read` those of all customers, that match all filters.

    A page ends before its orders have more than 1,000 items, so it can have fewer than `limit` orders: continue while there is a
    `next_cursor`.
    """
    return await lists.list_orders(session, selected, sort=sort, limit=limit, cursor=cursor)


@router.get(
    "/{order_id}",
    summary="Get an order",
    responses=problem_responses(OrderNotFound),
)
async def get_order(order_id: OrderId, caller: AnyCaller, session: Reading) -> OrderView:
    """Return one of the caller's own orders, or any order with the scope `orders:read`."""
    return await lists.get_order(session, caller, order_id)


@router.post(
    "/{order_id}/cancel",
    summary="Cancel an order",
    responses=problem_responses(
        OrderNotFound, OrderNotPending, CancelReasonRequired, IdempotencyKeyInUse, IdempotencyKeyReused
    ),
)
async def cancel_order(
    order_id: OrderId,
    caller: Canceller,
    actor: CancellingActor,
    session: DatabaseTransaction,
    request: CancelOrder | None = None,
    key: KeyHeader = None,
) -> OrderView:
    """Cancel a pending order and release its stock. Cancelling a cancelled order changes nothing.

    Customers cancel their own orders (scope `orders:write`), and programs those that they have placed (`orders:write_for`). Staff with the
    scope `orders:manage` cancel the order of any customer, with a `reason`, which the customer sees. If a payment for the order succeeds
    later, it is refunded.
    """
    idempotent = IdempotentRequest.of(caller.id, f"cancel_order {order_id}", key, request)
    reason = None if request is None else request.reason

    async def cancelled() -> OrderView:
        return as_stored(await cancel.cancel_order(session, caller, order_id, reason=reason, actor=actor))

    order = await keys.respond_once(session, IdempotencyKey, idempotent, OrderView, cancelled, status=200)
    return await complete_stored(session, order)


@router.delete(
    "/{order_id}/address",
    status_code=204,
    summary="Erase the address of an order",
    responses=problem_responses(OrderNotFound, AddressStillNeeded),
)
async def erase_address(order_id: OrderId, caller: AnyCaller, actor: AnyActor, session: DatabaseTransaction) -> None:
    """Erase the address of an order, and its tracking numbers. Its customer can do that when the order is shipped, cancelled, expired or
    refunded, and at any time if it has no `shipped` item.

    With the scope `orders:manage`, staff can erase the address of any order at any time.
    """
    await erasure.erase_address(session, order_id, caller, actor)
