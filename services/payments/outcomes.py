"""Outcomes of webhook events: the texts in the column `outcome` that tell operators what an event changed.

A charge that changes its payment, and a dispute that is recorded, have the new status as their outcome.
"""

from contracts.reasons import HeldReason
from services.payments.models import DisputeStatus
from services.payments.paystack.event_types import Handling, WebhookEventType
from services.payments.statuses import PaymentStatus

VERIFICATION_SCHEDULED = "verification scheduled"
"""The charge in the event is incomplete: the sweeper verifies the payment at Paystack."""

REFUND_SYNC_SCHEDULED = "refund sync scheduled"
"""The refund executor reads the refunds of the payment from Paystack."""

POLL_SCHEDULED = "poll scheduled"
"""The dispute is recorded already: the dispute poller reads it from Paystack."""

TRANSFER_RECORDED = "rejected transfer recorded"
"""The transfer is in `rejected_transfers`: the transfer matcher asks Paystack for the reference of its payment."""

UNKNOWN_REFERENCE = "unknown reference"
"""The charge has an unknown reference and is not successful: no payment is recorded."""

UNRELATED_REFERENCE = "unrelated reference"
"""The reference is unknown and certainly not ours (references.py): no payment, refund or dispute is recorded here."""

CONFLICT = "conflict"
"""The payment is paid by another charge; the column `error` names both."""

NOT_PROCESSED = "not processed"
"""The event has failed; the column `error` has the reason."""


def settled(status: PaymentStatus, held_reason: HeldReason | None) -> str:
    """Return the outcome of a charge that changed its payment."""
    return f"{status}: {held_reason}" if held_reason else status


def unchanged(status: PaymentStatus) -> str:
    """Return the outcome of a charge that does not change its payment, which has this status."""
    return f"unchanged: {status}"


def without_payment(status: DisputeStatus) -> str:
    """Return the outcome of a recorded dispute about an unknown payment."""
    return f"{status}: {HeldReason.UNKNOWN_REFERENCE}"


def ignored(reason: str) -> str:
    """Return the outcome of an event that is stored and changes nothing."""
    return f"{Handling.IGNORED}: {reason}"


def without_effect(event_type: WebhookEventType) -> str:
    """Return the outcome of an event whose type is ignored or unknown."""
    return f"{event_type.handling}: {event_type.explanation}"


HELD_UNKNOWN_REFERENCE = settled(PaymentStatus.HELD, HeldReason.UNKNOWN_REFERENCE)
"""A successful charge with an unknown reference: it is recorded as a held payment."""
