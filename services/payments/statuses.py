"""The statuses of payments and refunds. Imports no database code, so that the help of the commands can name them quickly."""

from enum import StrEnum


class PaymentStatus(StrEnum):
    """The status of a payment."""

    PENDING = "pending"
    """Not paid yet. A transaction that Paystack calls `abandoned` is pending here, because the payer can still pay."""

    SUCCEEDED = "succeeded"
    """The order's amount was paid, or an operator accepted the payment or bound it to an order."""

    FAILED = "failed"
    """The payment was declined. If it has a page, the payer can try again there."""

    ABANDONED = "abandoned"
    """Not initialized at Paystack, or not paid in time. If the payer pays later, the charge is still settled."""

    HELD = "held"
    """Paid, but waits for manual review by an operator; `held_reason` says why."""

    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"

    DISPUTED = "disputed"
    """The payer disputes the payment at the bank."""


class RefundStatus(StrEnum):
    """The status of a refund. `requested` is ours: Paystack has not accepted it yet. The other values are Paystack's words."""

    REQUESTED = "requested"
    PENDING = "pending"
    PROCESSING = "processing"
    PROCESSED = "processed"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs-attention"
