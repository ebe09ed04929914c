"""Requests and responses of refunds."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from kit.fields import Amount, Line, Pattern
from kit.schemas import ListResponse, PageResponse, RequestModel, ResponseModel, example
from services.payments.refunds.models import Refund
from services.payments.statuses import PaymentStatus, RefundStatus


class RequestRefund(RequestModel):
    """Which amount to refund, and why. Either `amount` or `"all": true` is required, so that no incomplete request refunds everything."""

    model_config = example({"amount": 50000, "reason": "One item short", "expected_status": "succeeded"})

    amount: Amount | None = Field(default=None, description="Amount to refund, in subunits")
    all: bool = Field(default=False, strict=True, description="True: refund everything that can be refunded")
    reason: Line | None = Field(
        default=None,
        description="Reason of the refund. It is stored and sent to the payer. Required if the payment is held",
    )
    expected_status: PaymentStatus | None = Field(
        default=None,
        description="Status that the payment had when you decided to refund it, such as `held`. If it has another status now, the request "
        "is refused with 409 `payment_status_changed`. Without it, the status is not compared",
    )

    @model_validator(mode="after")
    def _check_amount(self) -> "RequestRefund":
        if self.all == (self.amount is not None):
            raise ValueError(
                'give either "amount" in subunits, or "all": true to refund everything that can be refunded'
            )
        return self


class RefundAccount(RequestModel):
    """A bank account of the payer, for money that cannot be returned to the card or account that paid."""

    model_config = example({"account_number": "0123456789", "bank_id": "9"})

    account_number: Annotated[str, Pattern(r"^[0-9A-Za-z]{4,40}$", "must be 4 to 40 digits and letters")] = Field(
        description="Account number of the payer"
    )
    bank_id: Annotated[str, Pattern(r"^[0-9A-Za-z_-]{1,40}$", "must be 1 to 40 digits, letters, _ and -")] = Field(
        description="Id of the bank in Paystack's list of banks"
    )


class RefundView(ResponseModel):
    """A refund."""

    model_config = example(
        {
            "id": "5d2f0c1e-8a4b-4f6d-9c3e-7b1a2d4e6f80",
            "amount": 50000,
            "currency": "NGN",
            "status": "requested",
            "reason": "One item short",
            "requested_by": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "error": None,
            "next_attempt_at": None,
            "created_at": "2026-11-23T10:30:00Z",
        }
    )

    id: UUID = Field(description="Id of the refund")
    amount: int = Field(description="Amount of the refund, in subunits of the currency")
    currency: str = Field(description="ISO 4217 code")
    status: RefundStatus = Field(
        description="`requested`: not accepted by Paystack yet; `pending`, `processing`: Paystack works on it; "
        "`processed`: refunded; `failed`: not refunded, and an operator decides; "
        "`needs-attention`: retry it with the payer's bank account"
    )
    reason: str | None = Field(description="Reason of the refund")
    requested_by: str = Field(
        description="The account or program that requested it; for a command, `operator:` and the user of the operating system; `catalog` "
        "for an undeliverable order; `paystack` for a refund that was not requested here"
    )
    error: str | None = Field(
        description="What happened, in words, if Paystack refused the refund, it failed, or it needs the payer's bank account"
    )
    next_attempt_at: datetime | None = Field(
        default=None,
        description="Time at which a refund that Paystack refused is sent again; null for all others",
    )
    created_at: datetime = Field(description="Time at which the refund was requested or first reported")


class RefundOfPayment(RefundView):
    """A refund with the reference of its payment."""

    payment: str = Field(description="Reference of the payment")
    closed_by: str | None = Field(description="Who closed a failed refund, as in `requested_by`; null for all others")
    closed_reason: str | None = Field(description="How the operator dealt with it")

    @classmethod
    def of(cls, refund: Refund, reference: str) -> Self:
        """Return the view of a refund and the reference of its payment."""
        shown = RefundView.model_validate(refund).model_dump()
        return cls(payment=reference, closed_by=refund.closed_by, closed_reason=refund.closed_reason, **shown)


class RefundPage(PageResponse[RefundOfPayment]):
    """One page of refunds."""


class Refunds(ListResponse[RefundView]):
    """The refunds of a payment."""
