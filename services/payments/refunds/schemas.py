"""Request and response bodies of refunds."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from kit.fields import Amount, Line
from kit.schemas import ListResponse, RequestModel, ResponseModel, example
from services.payments.refunds.models import RefundStatus


class RequestRefund(RequestModel):
    model_config = example({"amount": 50000, "reason": "One item short"})

    amount: Amount | None = Field(default=None, description="Subunits; all that is left where it is absent")
    reason: Line | None = Field(
        default=None, description="Kept with the refund, and told to the payer; held money needs one"
    )


class RefundAccount(RequestModel):
    """The payer's own account, where the money could not go back the way it came."""

    model_config = example({"account_number": "0123456789", "bank_id": "9"})

    account_number: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{4,40}$")]
    bank_id: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,40}$")] = Field(
        description="Of Paystack's list of banks"
    )


class RefundView(ResponseModel):
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

    id: UUID
    amount: int
    currency: str
    status: RefundStatus
    reason: str | None
    requested_by: str = Field(description="An account's id, `catalog` for an undeliverable order, or `paystack`")
    error: str | None
    created_at: datetime


class Refunds(ListResponse[RefundView]):
    """The refunds of a payment."""
