"""Request bodies of decisions about held payments."""

from uuid import UUID

from pydantic import Field

from kit.fields import Line
from kit.schemas import RequestModel, example


class Accept(RequestModel):
    """Deliver for what was paid, although it differs."""

    model_config = example({"reason": "50 kobo short; waived for a regular"})

    reason: Line = Field(description="Recorded with the decision")


class Bind(RequestModel):
    """Let money that came under a reference of nobody pay for an order."""

    model_config = example(
        {"order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55", "reason": "Transfer of 3 May, told us by phone"}
    )

    order_id: UUID
    reason: Line = Field(description="Recorded with the decision")
