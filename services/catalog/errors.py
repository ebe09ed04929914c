"""The errors of catalog. Each docstring is the default `detail` of the response."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from kit.errors import Problem
from kit.fields import Currency
from kit.schemas import ResponseModel
from services.catalog.statuses import OrderStatus


class PreconditionRequired(Problem):
    """This request requires the header `If-Match` with the ETag of the version that you want to change. Get it with a GET request first."""

    status = 428


class PreconditionFailed(Problem):
    """Another request has changed this since you read it. Get it again, and repeat your change with its new ETag if it is still right."""

    status = 412


class ProductNotOffered(Problem):
    """A product of the order is not sold at present. Remove the products in `products` from the order."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"products": list[UUID]}


class ProductOrdered(Problem):
    """Orders refer to this product, so it cannot be deleted. Set its status to `archived` to take it off sale."""

    status = 409


class ProductNotFound(Problem):
    """There is no product with this id or slug. Check it, or search with GET /catalog/products."""

    status = 404
    members: ClassVar[Mapping[str, Any]] = {"products": list[UUID]}


class CategoryNotFound(Problem):
    """There is no category with this id. Choose one from GET /catalog/categories."""

    status = 404


class CategoryTreeInvalid(Problem):
    """The category cannot be moved there: a category cannot be inside itself, and the tree has at most eight levels."""

    status = 409


class CategoryNotEmpty(Problem):
    """The category has subcategories or products. Move the subcategories, and choose `?products=detach` or `?products=move_to:<id>`."""

    status = 409


class TagNotFound(Problem):
    """There is no tag with this name. Choose one from GET /catalog/tags."""

    status = 404


class TagExists(Problem):
    """Another tag already has this name. Repeat the request with `merge: true` to merge the two tags, or choose another name."""

    status = 409


class OrderNotFound(Problem):
    """You have no order with this id. List your orders with GET /catalog/orders."""

    status = 404


class CancelReasonRequired(Problem):
    """Staff must give a reason when they cancel the order of a customer, who sees it. Repeat the request with `reason`."""

    status = 422


class TooManyNotes(Problem):
    """This order has the maximum number of notes. No further note can be added."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"limit": int}


class SlugTaken(Problem):
    """This slug is already used. Choose another one, or leave it out: then it is made from the name."""

    status = 409


class StatusFilterNotAllowed(Problem):
    """Only callers with the scope catalog:write may list drafts and archived products. Leave the status out, or use another token."""

    status = 403


class PriceRangeEmpty(Problem):
    """min_price is greater than max_price. Correct one of them."""

    status = 422


class CurrencyRequired(Problem):
    """Prices of different currencies cannot be compared. Add `currency` to filter or sort by price."""

    status = 422


class TooManyWords(Problem):
    """The search text has more than five words. Leave some out."""

    status = 422


class CurrenciesDiffer(Problem):
    """All products of an order must have the same currency. Place one order for each currency."""

    status = 422
    members: ClassVar[Mapping[str, Any]] = {"currencies": list[Currency]}


class AmountTooLarge(Problem):
    """The order's amount is greater than the largest possible payment. Split it into several orders."""

    status = 422


class AmountTooSmall(Problem):
    """The order's amount is smaller than the smallest payment that Paystack accepts in its currency. Order more."""

    status = 422


class PriceNotWhole(Problem):
    """The currency of this product has no fractions: give a price that is a multiple of 100 subunits."""

    status = 422


class ShortProduct(ResponseModel):
    """A product of an order that has not enough stock."""

    product_id: UUID
    variant_id: UUID | None = Field(default=None, description="Only for a product with options")
    name: str
    wanted: int = Field(description="The ordered quantity")
    left: int = Field(description="The largest quantity that can still be ordered")


class OutOfStock(Problem):
    """There is not enough stock of the products in `products`. Reduce each quantity to at most `left`."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"products": list[ShortProduct]}


class VariantNotFound(Problem):
    """There is no variant with this id. Choose one from GET /catalog/products/{product_id}/variants."""

    status = 404


class VariantRequired(Problem):
    """The product has options: name the `variant_id`. GET /catalog/products/{product_id}/variants lists its variants."""

    status = 422


class VariantExists(Problem):
    """Another variant has this SKU, or this product already has a variant with these options. Choose another one."""

    status = 409


class TooManyVariants(Problem):
    """A product has at most 100 variants. Delete one that is not needed, or make a second product."""

    status = 409


class DefaultVariant(Problem):
    """A product without options keeps its only variant. Delete or archive the product."""

    status = 409


class OptionsDiffer(Problem):
    """The variant needs a value for each option of its product, and no other."""

    status = 422


class PriceMissing(Problem):
    """A product of the order has no price in this currency. Remove it from the order, or choose another currency."""

    status = 422


class StockChanged(Problem):
    """The number of units on hand is not `expected`. Count again, and send `on_hand` of this response as `expected`."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"on_hand": int}


class StockTooLow(Problem):
    """More units would be written off than are on hand. Write off at most `on_hand`."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"on_hand": int}


class TooManyPendingOrders(Problem):
    """You have too many unpaid orders. Pay for one of them or cancel it, then order again."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"limit": int}


class ReservationLimitReached(Problem):
    """Your unpaid orders may reserve only a part of the stock. Pay for your orders first, or order at most `left` more units."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"products": list[ShortProduct]}


class TooManyUnits(Problem):
    """The order has too many units. Split it into several orders."""

    status = 422


class OrderNotPending(Problem):
    """Only a pending order can be cancelled. `order_status` is the status of this order."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"order_status": OrderStatus}


class OrderNotPaid(Problem):
    """Only a paid order can be fulfilled. `order_status` is the status of this order."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"order_status": OrderStatus}


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
    members: ClassVar[Mapping[str, Any]] = {"items": list[OverFulfilledItem]}


class UnitsMissing(Problem):
    """Units of an item have not arrived in stock yet (a backorder). First record a stock movement `received` or `counted`."""

    status = 409
    members: ClassVar[Mapping[str, Any]] = {"variants": list[UUID]}


class AddressRequired(Problem):
    """A product of the order is shipped: send `address` with name, lines, city and country."""

    status = 422


class AddressStillNeeded(Problem):
    """The order still needs its address. Cancel it if it is not paid; otherwise wait until it is shipped, or ask the shop."""

    status = 409


class AddressErased(Problem):
    """The address of the order was erased. Hand the units over (step `deliver`, without tracking), or refund the order."""

    status = 409
