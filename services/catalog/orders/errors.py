"""The errors of orders. The first line of each docstring is the default `detail` of the response."""

from typing import ClassVar
from uuid import UUID

from pydantic import Field

from kit.errors import MemberTypes, Problem
from kit.fields import Currency
from kit.schemas import ResponseModel
from services.catalog.statuses import OrderStatus


class CustomerRequired(Problem):
    """A program orders for a customer: send `customer` with at least the e-mail address."""

    status = 422


class ProductNotOffered(Problem):
    """A product of the order is not sold at present. Remove the products in `products` from the order."""

    status = 409
    members: ClassVar[MemberTypes] = {"products": list[UUID]}


class OrderNotFound(Problem):
    """There is no order with this id or number, or it is not yours. List your orders with GET /catalog/orders."""

    status = 404


class StatusTokenNotFound(Problem):
    """No order has this status token. Check that you have opened the whole link."""

    status = 404


class CancelReasonRequired(Problem):
    """Staff must give a reason when they cancel the order of a customer. Repeat the request with `reason`, which the customer will see."""

    status = 422


class TooManyNotes(Problem):
    """This order has the maximum number of notes. No further note can be added."""

    status = 409
    members: ClassVar[MemberTypes] = {"limit": int}


class CurrenciesDiffer(Problem):
    """All products of an order must have the same currency. Place one order for each currency."""

    status = 422
    members: ClassVar[MemberTypes] = {"currencies": list[Currency]}


class AmountTooLarge(Problem):
    """The order's amount is greater than the largest possible payment. Split it into several orders."""

    status = 422


class AmountTooSmall(Problem):
    """The order's amount is smaller than the smallest payment that Paystack accepts in its currency. Order more."""

    status = 422


class LimitedProduct(ResponseModel):
    """A product of which fewer units can be ordered than the request asks for."""

    product_id: UUID
    variant_id: UUID | None = Field(default=None, description="Only for a product with options")
    name: str
    wanted: int = Field(description="The requested quantity")
    left: int = Field(description="The largest quantity that can be ordered now")


class OutOfStock(Problem):
    """There is not enough stock of the products in `products`. Reduce each quantity to at most `left`."""

    status = 409
    members: ClassVar[MemberTypes] = {"products": list[LimitedProduct]}


class VariantRequired(Problem):
    """The product has options: name the `variant_id`. GET /catalog/products/{product_id}/variants lists its variants."""

    status = 422


class PriceMissing(Problem):
    """A product of the order has no price in this currency. Remove it from the order, or choose another currency."""

    status = 422


class TooManyPendingOrders(Problem):
    """You have too many pending orders. Pay for one of them or cancel it, then order again."""

    status = 409
    members: ClassVar[MemberTypes] = {"limit": int}


class TooManyPendingOrdersOfProgram(Problem):
    """Your program has too many pending orders of all its customers. Cancel those that nobody will pay, then order again."""

    status = 409
    members: ClassVar[MemberTypes] = {"limit": int}


class ReservationLimitReached(Problem):
    """Your pending orders may reserve only a part of the stock. Pay for them first, or order at most `left` units of each product."""

    status = 409
    members: ClassVar[MemberTypes] = {"products": list[LimitedProduct]}


class TooManyUnits(Problem):
    """The order has too many units. Split it into several orders."""

    status = 422


class OrderNotPending(Problem):
    """Only a pending order can be cancelled. `order_status` is the status of this order."""

    status = 409
    members: ClassVar[MemberTypes] = {"order_status": OrderStatus}


class AddressRequired(Problem):
    """A product of the order is shipped: send `address` with name, lines, city and country."""

    status = 422


class AddressStillNeeded(Problem):
    """The order still needs its address. Cancel it if it is not paid; otherwise wait until it is shipped, or ask the shop."""

    status = 409
