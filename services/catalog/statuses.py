"""The statuses of products and orders, and the outcomes of payments. This module imports only the standard library."""

from collections.abc import Mapping
from enum import StrEnum


class OrderStatus(StrEnum):
    """The status of an order."""

    PENDING = "pending"
    """Not paid yet. The stock is reserved until `expires_at`."""

    PAID = "paid"
    """Paid, and at least one item waits for staff, who deliver it (fulfilment/)."""

    DELIVERED = "delivered"
    """Paid and delivered."""

    CANCELLED = "cancelled"
    """Cancelled by the customer or by staff before it was paid."""

    EXPIRED = "expired"
    """Not paid in time; the stock was released. A later payment still pays for it if there is enough stock."""

    REFUNDED = "refunded"
    """The whole amount was refunded. fulfilment/refund_rules.py says which units went back into the stock."""


class ProductKind(StrEnum):
    """How an item is delivered."""

    DIGITAL = "digital"
    """Delivered as soon as the order is paid."""

    SERVICE = "service"
    """Staff perform it, and then record its delivery."""

    SHIPPED = "shipped"
    """Staff pack it, ship it and record its delivery. The order needs an address."""


class FulfilmentStep(StrEnum):
    """What staff do with units of a paid order. A step includes those before it."""

    PACK = "pack"
    SHIP = "ship"
    DELIVER = "deliver"


ORDER_TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {
            OrderStatus.PAID,
            OrderStatus.DELIVERED,
            OrderStatus.CANCELLED,
            OrderStatus.EXPIRED,
            OrderStatus.REFUNDED,  # the refund was reported before the payment, or in the same batch of events
        }
    ),
    OrderStatus.EXPIRED: frozenset({OrderStatus.PAID, OrderStatus.DELIVERED, OrderStatus.REFUNDED}),  # paid late
    OrderStatus.PAID: frozenset({OrderStatus.DELIVERED, OrderStatus.REFUNDED}),
    OrderStatus.DELIVERED: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.REFUNDED: frozenset(),
}
"""To which statuses an order can change from each status. The table order_status_transitions has the same rows, and a trigger refuses all
other changes, so that no mistake in a statement can undo a payment, a delivery or a refund."""


class ProductStatus(StrEnum):
    """Whether a product is sold."""

    DRAFT = "draft"
    """Not offered yet: only editors see it."""

    ACTIVE = "active"
    """Listed, and can be ordered."""

    ARCHIVED = "archived"
    """Not offered any more: only editors see it. Paid orders are still delivered."""


class StockState(StrEnum):
    """Where the units of an order's item are."""

    UNLIMITED = "unlimited"
    """The stock was unlimited when the order was placed, or was made unlimited since: the item moves no stock."""

    RESERVED = "reserved"
    """Reserved for the order, until it is paid, cancelled or expired. Items of a paid order that wait for units stay reserved."""

    SOLD = "sold"
    """Taken out of the stock, except the units that a refund has put back (`restocked`)."""

    RELEASED = "released"
    """All units were given back to the stock."""


class StockMovementKind(StrEnum):
    """Why a stock level changed."""

    RECEIVED = "received"
    COUNTED = "counted"
    RESERVED = "reserved"
    RELEASED = "released"
    SOLD = "sold"
    RETURNED = "returned"
    WRITTEN_OFF = "written_off"


class Availability(StrEnum):
    """Whether a product can be ordered now."""

    IN_STOCK = "in_stock"
    LOW = "low"
    """Few units can be ordered."""

    OUT = "out"
    """No unit can be ordered."""


class PaymentOutcome(StrEnum):
    """The effect of a payment on its order."""

    AWAITED = "awaited"
    """Refunds or a lost dispute were reported, but not yet that the payment succeeded."""

    PAID = "paid"
    """The payment paid for the order, and staff have not delivered all of its items yet."""

    DELIVERED = "delivered"
    """The payment paid for the order, and the order was delivered."""

    UNDELIVERABLE = "undeliverable"
    """The order cannot be fulfilled for this payment. The payments service refunds it; the refund does not change the outcome."""

    REFUNDED = "refunded"
    """The payment paid for the order and was fully refunded. If the refund was reported before the payment, nothing was delivered."""
