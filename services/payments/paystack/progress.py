"""What an unpaid transaction waits for, according to the status and the channel that Paystack reports."""

from enum import StrEnum

from services.payments.paystack.channels import Channel

IN_PROGRESS = frozenset({"pending", "ongoing", "processing", "queued"})
"""Paystack's statuses of a transaction that the payer has begun to pay. The payer must not pay again before it has ended."""


class WaitingFor(StrEnum):
    """What an unpaid transaction waits for."""

    BANK_TRANSFER = "bank_transfer"
    """The payer has the account number for a bank transfer, which has not arrived."""

    CONFIRMATION = "confirmation"
    """The payer has begun to pay, with USSD for example, and Paystack has not confirmed the payment."""

    PAYER = "payer"
    """The payer has not paid so far, or has left the page, and can still pay."""


def waiting_for(status: str | None, channel: str | None) -> WaitingFor | None:
    """Return what an unpaid transaction with this status waits for, or None if the status is not known or the payment has ended."""
    if status in IN_PROGRESS:
        return WaitingFor.BANK_TRANSFER if channel == Channel.BANK_TRANSFER else WaitingFor.CONFIRMATION
    return WaitingFor.PAYER if status == "abandoned" else None
