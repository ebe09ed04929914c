"""The reasons in events: why a payment is held, and why an order cannot be delivered. Reasons are added, never renamed or removed."""

from enum import StrEnum
from typing import Literal


class HeldReason(StrEnum):
    """The reason why a payment is held for an operator."""

    AMOUNT_DIFFERS = "amount_differs"
    """The paid amount is not the order's amount."""

    CURRENCY_DIFFERS = "currency_differs"
    """The payment was made in another currency."""

    MODE_DIFFERS = "mode_differs"
    """A payment in Paystack's test mode reached a live system, or the other way round."""

    UNKNOWN_REFERENCE = "unknown_reference"
    """We have no payment with this reference. No order belongs to it, so `payment.held` is not published."""

    REVERSED = "reversed"
    """The payment was paid and reversed before we received an event from Paystack. `payment.held` is not published."""


PublishedHeldReason = Literal[HeldReason.AMOUNT_DIFFERS, HeldReason.CURRENCY_DIFFERS, HeldReason.MODE_DIFFERS]
"""The reasons that `payment.held` can have. It is not published for payments that are held for another reason."""


class UndeliverableReason(StrEnum):
    """Why an order cannot be fulfilled for a payment: the `reason` of `order.undeliverable`."""

    EXPIRED_AND_SOLD_OUT = "expired_and_sold_out"
    """The payment arrived after the order had expired, and there is no longer enough stock."""

    CANCELLED = "cancelled"
    """The order was cancelled before the payment arrived."""

    ALREADY_PAID = "already_paid"
    """The order was already paid by another payment."""

    UNKNOWN_ORDER = "unknown_order"
    """Catalog has no order with this id."""
