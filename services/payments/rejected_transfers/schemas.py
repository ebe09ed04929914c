"""Responses about rejected transfers."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from kit.schemas import PageResponse, ResponseModel, example
from services.payments.rejected_transfers.models import RejectedTransfer


class MatchStatus(StrEnum):
    """Whether the payment of a rejected transfer is known."""

    PENDING = "pending"
    MATCHED = "matched"
    UNMATCHED = "unmatched"


class RejectedTransferView(ResponseModel):
    """A bank transfer that Paystack rejected and returns to the payer."""

    model_config = example(
        {
            "transaction_id": 4099260516,
            "status": "matched",
            "payment": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "amount": 1400000,
            "currency": "NGN",
            "reason": "INCORRECT_AMOUNT",
            "message": "incorrect amount sent",
            "error": None,
            "rejected_at": "2026-11-23T10:30:02Z",
        }
    )

    transaction_id: int = Field(description="Paystack's id of the transaction for which the transfer was made")
    status: MatchStatus = Field(
        description="`pending`: Paystack is asked for the reference of the payment; `matched`: `payment` has it; "
        "`unmatched`: there is no such payment, `error` says why"
    )
    payment: str | None = Field(description="Reference of the payment; null if it is not known")
    amount: int | None = Field(description="Amount of the transfer, in subunits; null if Paystack did not report it")
    currency: str | None = Field(
        description="Currency of the payment, ISO 4217 code: Paystack does not report the currency of the transfer"
    )
    reason: str | None = Field(description="Paystack's code for why it rejected the transfer, such as INCORRECT_AMOUNT")
    message: str | None = Field(description="The reason in Paystack's words")
    error: str | None = Field(description="Why no payment was found; null unless `status` is `unmatched`")
    rejected_at: datetime = Field(description="Time at which Paystack's webhook event was received")

    @classmethod
    def of(cls, transfer: RejectedTransfer, reference: str | None, currency: str | None) -> Self:
        """Return the view of a rejected transfer. `reference` and `currency`: those of its payment, or None."""
        if transfer.payment_id is not None:
            status = MatchStatus.MATCHED
        else:
            status = MatchStatus.UNMATCHED if transfer.next_attempt_at is None else MatchStatus.PENDING
        return cls(
            transaction_id=transfer.transaction_id,
            status=status,
            payment=reference,
            amount=transfer.amount,
            currency=currency,
            reason=transfer.reason,
            message=transfer.message,
            error=transfer.error,
            rejected_at=transfer.rejected_at,
        )


class RejectedTransferPage(PageResponse[RejectedTransferView]):
    """One page of rejected transfers."""
