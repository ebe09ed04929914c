"""Requests and responses of refunds."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from kit.fields import Amount, Line
from kit.schemas import ListResponse, RequestModel, ResponseModel, example
from services.payments.refunds.models import RefundStatus


class RequestRefund(RequestModel):
    """Which amount to refund, and why. Either `amount` or `"all": true` is required, so that no incomplete request refunds everything."""

    model_config = example({"amount": 50000, "reason": "One item short"})

    amount: Amount | None = Field(default=None, description="Amount to refund, in subunits")
    all: bool = Field(default=False, strict=True, description="True: refund everything that can be refunded")
    reason: Line | None = Field(
        default=None,
        description="Reason of the refund. It is stored and sent to the payer. Required if the payment is held",
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

    account_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{4,40}$")] = Field(
        description="Account number of the payer"
    )
    bank_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,40}$")] = Field(
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
            "created_at": "2026-11-23T10:30:00Z",
        }
    )

    id: UUID = Field(description="Id of the refund")
    amount: int = Field(description="Amount of the refund, in subunits of the currency")
    currency: str = Field(description="ISO 4217 code")
    status: RefundStatus = Field(
        description="`requested`: not sent to Paystack yet; `pending`, `processing`: Paystack works on it; "
        "`processed`: refunded; `failed`: not refunded, request another refund; "
        "`needs-attention`: retry it with the payer's bank account"
    )
    reason: str | None = Field(description="Reason of the refund")
    requested_by: str = Field(
        description="Id of the account that requested it, `catalog` for an undeliverable order, "
        "or `paystack` for a refund that was not requested here"
    )
    error: str | None = Field(description="Why Paystack refused the refund")
    created_at: datetime = Field(description="Time at which the refund was requested or first reported")


class Refunds(ListResponse[RefundView]):
    """The refunds of a payment."""
