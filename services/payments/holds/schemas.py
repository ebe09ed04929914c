"""Requests for decisions about held payments."""

from uuid import UUID

from pydantic import Field

from kit.fields import Line
from kit.schemas import RequestModel, example


class AcceptPayment(RequestModel):
    """Accept a held payment although it differs from the order."""

    model_config = example({"reason": "50 kobo short; waived for a regular customer"})

    reason: Line = Field(
        description="Reason of the decision. It is stored; with `refund_difference`, it is also sent to the payer"
    )
    refund_difference: bool = Field(
        default=False,
        strict=True,
        description="True: also refund what the payer paid too much, `difference` in the `review` of the payment",
    )


class BindPayment(RequestModel):
    """Bind a payment to an order of the same amount, if it is held because its reference was unknown."""

    model_config = example(
        {"order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55", "reason": "Bank transfer of 3 May, confirmed by phone"}
    )

    order_id: UUID = Field(description="Id of the order that the payment is for")
    reason: Line = Field(description="Reason of the decision. It is stored")
