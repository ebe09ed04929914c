"""The values of statuses, outcomes and reasons. Pure: imports nothing."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """The status of an order. See fulfilment/decisions.py for the transitions."""

    PENDING = "pending"
    """Waits for its payment; its stock is reserved until `expires_at`."""

    PAID = "paid"
    """Paid, not delivered yet. Today payment and delivery are committed together, so no order stays in this status."""

    DELIVERED = "delivered"
    """Paid and delivered."""

    CANCELLED = "cancelled"
    """Cancelled by its customer before it was paid."""

    EXPIRED = "expired"
    """Not paid in time; its stock was released. A late payment still delivers it if there is enough stock."""

    REFUNDED = "refunded"
    """The whole amount was refunded and the stock was released."""


class PaymentOutcome(StrEnum):
    """What a payment led to for its order."""

    AWAITED = "awaited"
    """Only refunds of the payment have been reported so far, not the payment itself."""

    DELIVERED = "delivered"
    """The payment paid for the order, which was delivered."""

    UNDELIVERABLE = "undeliverable"
    """The order cannot be fulfilled for this payment; payments refunds it."""

    REFUNDED = "refunded"
    """The payment was fully refunded."""
