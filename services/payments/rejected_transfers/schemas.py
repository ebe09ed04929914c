"""Responses about rejected transfers."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from kit.schemas import PageResponse, ResponseModel, example
from services.payments.rejected_transfers.models import RejectedTransfer

TransferId = Annotated[int, Field(ge=1, lt=2**63)]


class MatchStatus(StrEnum):
    """Whether the payment of a rejected transfer is known."""

    PENDING = "pending"
    MATCHED = "matched"
    UNMATCHED = "unmatched"
    FAILED = "failed"

    @classmethod
    def of(cls, transfer: RejectedTransfer) -> Self:
        """Return the status of a rejected transfer."""
        if transfer.payment_id is not None:
            return cls(cls.MATCHED)
        if transfer.failed_at is not None:
            return cls(cls.FAILED)
        return cls(cls.UNMATCHED if transfer.next_attempt_at is None else cls.PENDING)


class RejectedTransferView(ResponseModel):
    """A bank transfer that Paystack rejected and returns to the payer."""

    model_config = example(
        {
            "id": 12,
            "transaction_id": 4099260516,
            "status": "matched",
            "payment": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "amount": 1400000,
            "currency": "NGN",
            "reason": "INCORRECT_AMOUNT",
            "message": "incorrect amount sent",
            "error": None,
            "next_attempt_at": None,
            "rejected_at": "2026-11-23T10:30:02Z",
        }
    )

    id: TransferId = Field(description="Id of the rejected transfer")
    transaction_id: int = Field(description="Paystack's id of the transaction for which the transfer was made")
    status: MatchStatus = Field(
        description="`pending`: Paystack is asked for the reference of the payment; `matched`: `payment` has it; "
        "`unmatched`: there is no such payment, `error` says why; `failed`: Paystack did not name the payment after many attempts, and an "
        "operator must have it tried again"
    )
    payment: str | None = Field(description="Reference of the payment; null if it is not known")
    amount: int | None = Field(description="Amount of the transfer, in subunits; null if Paystack did not report it")
    currency: str | None = Field(
        description="Currency of the payment, ISO 4217 code, or null: Paystack does not report the currency of the transfer"
    )
    reason: str | None = Field(description="Paystack's code for why it rejected the transfer, such as INCORRECT_AMOUNT")
    message: str | None = Field(description="The reason in Paystack's words")
    error: str | None = Field(
        description="Why no payment was found, or why Paystack did not name it when last asked; null if the payment is known, or Paystack "
        "was not asked yet"
    )
    next_attempt_at: datetime | None = Field(
        description="Time at which Paystack is asked for the payment; null unless `status` is `pending`"
    )
    rejected_at: datetime = Field(description="Time at which Paystack's webhook event was received")

    @classmethod
    def of(cls, transfer: RejectedTransfer, reference: str | None, currency: str | None) -> Self:
        """Return the view of a rejected transfer. `reference` and `currency`: those of its payment, or None."""
        return cls(
            id=transfer.id,
            transaction_id=transfer.transaction_id,
            status=MatchStatus.of(transfer),
            payment=reference,
            amount=transfer.amount,
            currency=currency,
            reason=transfer.reason,
            message=transfer.message,
            error=transfer.error,
            next_attempt_at=transfer.next_attempt_at,
            rejected_at=transfer.rejected_at,
        )


class RejectedTransferPage(PageResponse[RejectedTransferView]):
    """One page of rejected transfers."""
