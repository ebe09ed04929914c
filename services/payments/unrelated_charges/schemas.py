"""Responses about unrelated charges."""

from datetime import datetime

from pydantic import Field

from kit.schemas import PageResponse, ResponseModel, example


class UnrelatedChargeView(ResponseModel):
    """A successful charge with a reference that is certainly not ours."""

    model_config = example(
        {
            "reference": "T685312322670591",
            "paystack_id": 4099260516,
            "amount": 250000,
            "currency": "NGN",
            "fees": 13750,
            "domain": "live",
            "channel": "card",
            "paid_at": "2026-11-23T10:30:00Z",
            "received_at": "2026-11-23T10:30:02Z",
        }
    )

    reference: str = Field(description="Reference at Paystack")
    paystack_id: int | None = Field(description="Paystack's id of the transaction")
    amount: int = Field(description="Paid amount, in subunits")
    currency: str = Field(description="ISO 4217 code")
    fees: int | None = Field(description="Paystack's fee, in subunits; null if it was not reported")
    domain: str | None = Field(description="Paystack's mode in which it was paid: test or live")
    channel: str | None = Field(description="How the payer paid, as Paystack names it")
    paid_at: datetime | None = Field(description="Time of the payment at Paystack")
    received_at: datetime = Field(description="Time at which the charge was recorded here")


class UnrelatedChargePage(PageResponse[UnrelatedChargeView]):
    """One page of unrelated charges."""
