"""The errors of fulfilment. The first line of each docstring is the default `detail` of the response."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from kit.errors import MemberTypes, Problem
from kit.schemas import ResponseModel
from services.catalog.statuses import OrderStatus


class OrderNotPaid(Problem):
    """Only a paid order can be fulfilled. `order_status` is the status of this order."""

    status = 409
    members: ClassVar[MemberTypes] = {"order_status": OrderStatus}


class ItemNotOrdered(Problem):
    """The order has no such item. Name a `variant_id` or `product_id` of its items."""

    status = 422


class StepNotPossible(Problem):
    """A service is not packed and not shipped: it can only be delivered."""

    status = 422


class OverFulfilledItem(ResponseModel):
    """An item with fewer units left than the request wants."""

    variant_id: UUID
    name: str
    wanted: int = Field(description="The quantity of the request")
    left: int = Field(description="The number of units for which this step is not recorded yet")


class OverFulfilled(Problem):
    """The order does not have that many units left for this step. Get the order, and fulfil at most `left` units of each item."""

    status = 409
    members: ClassVar[MemberTypes] = {"items": list[OverFulfilledItem]}


class UnitsMissing(Problem):
    """Units have not arrived in stock yet (a backorder). First record a stock movement `received` or `counted`, then repeat the request."""

    status = 409
    members: ClassVar[MemberTypes] = {"variants": list[UUID]}


class AddressErased(Problem):
    """The order has no address (erased, or never given). Hand the units over (step `deliver`, without `tracking`), or refund the order.

    An order without items that are shipped can be placed without an address. In such an order, only `tracking` needs one.
    """

    status = 409
