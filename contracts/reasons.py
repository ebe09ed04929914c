"""The reasons in events: why a payment is held, and why an order cannot be delivered. Reasons are added, never renamed or removed."""

from enum import StrEnum
from typing import Literal


class HeldReason(StrEnum):
    """Why a payment is held for an operator.

    `amount_differs`: the paid amount is not the order's amount. `currency_differs`: the payer paid in another currency. `mode_differs`: a
    payment in Paystack's test mode reached a live shop, or the other way round. `unknown_reference`: no payment was started here under this
    reference, so no order belongs to the money. `reversed`: Paystack had refunded the payment, or had begun to, before this shop knew that
    it was paid.
    """

    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    MODE_DIFFERS = "mode_differs"
    UNKNOWN_REFERENCE = "unknown_reference"
    REVERSED = "reversed"


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
