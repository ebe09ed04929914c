"""The routes with which staff fulfil orders."""

from typing import Annotated

from fastapi import Path

from kit.http.routing import Router
from kit.idempotency import keys
from kit.idempotency.keys import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotentRequest, KeyHeader
from kit.pagination import CursorParam, InvalidCursor, Limit
from kit.problem_responses import problem_responses
from services.catalog.auth import AnyCaller, OrdersActor
from services.catalog.db import DatabaseTransaction, Reading
from services.catalog.fulfilment import fulfil
from services.catalog.fulfilment.errors import (
    AddressErased,
    ItemNotOrdered,
    OrderNotPaid,
    OverFulfilled,
    StepNotPossible,
    UnitsMissing,
)
from services.catalog.fulfilment.schemas import FulfilItems
from services.catalog.models import IdempotencyKey
from services.catalog.orders import fulfilments, lists
from services.catalog.orders.errors import OrderNotFound
from services.catalog.orders.numbers import OrderIdOrNumber
from services.catalog.orders.schemas import FulfilmentPage, FulfilmentView

router = Router(prefix="/catalog/orders/{order_id}/fulfilments", tags=["orders"])

OrderId = Annotated[OrderIdOrNumber, Path(description="Id or number of the order")]


@router.post(
    "",
    status_code=201,
    summary="Fulfil units of an order",
    responses=problem_responses(
        OrderNotFound,
        OrderNotPaid,
        ItemNotOrdered,
        StepNotPossible,
        OverFulfilled,
        UnitsMissing,
        AddressErased,
        IdempotencyKeyInUse,
        IdempotencyKeyReused,
    ),
)
async def fulfil_order(
    order_id: OrderId, request: FulfilItems, actor: OrdersActor, session: DatabaseTransaction, key: KeyHeader = None
) -> FulfilmentView:
    """Record that units of a paid order were packed, shipped or delivered. The order is `delivered` when all its units are delivered.

    Requires the scope `orders:manage`. Two requests cannot record the same step of a unit: the second one gets 409. A request that
    is repeated with its `Idempotency-Key` has one effect.
    """
    idempotent = IdempotentRequest.of(actor.id, f"fulfil_order {order_id}", key, request)
    return await keys.respond_once(
        session, IdempotencyKey, idempotent, FulfilmentView, lambda: fulfil.fulfil(session, order_id, request, actor)
    )


@router.get("", summary="List the fulfilments of an order", responses=problem_responses(OrderNotFound, InvalidCursor))
async def list_fulfilments(
    order_id: OrderId, caller: AnyCaller, session: Reading, limit: Limit = 20, cursor: CursorParam = None
) -> FulfilmentPage:
    """Return the fulfilments of one of the caller's own orders, or of any order with the scope `orders:read`, newest first."""
    found = await lists.find_visible(session, caller, order_id)
    return await fulfilments.list_fulfilments(session, found, limit, cursor)
