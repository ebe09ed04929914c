"""Types that the control routes (/sandbox/...) of several folders share."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


RowId = Annotated[int, Path(ge=0, lt=2**63)]
Subunits = Annotated[int, Field(ge=0, le=10**15)]
Deliveries = Annotated[
    int,
    Field(ge=0, le=1_000, description="How many times the webhook is sent. 0: it is not sent and is recorded as lost."),
]
Delay = Annotated[int, Field(ge=0, le=3_600_000, description="Milliseconds before the webhook is first sent.")]


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """How one webhook is delivered. None: the value of the current faults is used."""

    deliveries: int | None = None
    """0: the webhook is recorded as lost."""
    delay_ms: int | None = None


DEFAULT_DELIVERY = DeliveryOptions()


class DeliveryControls(StrictModel):
    """Body of a control call that causes a webhook. For omitted fields, the values of the current faults are used."""

    deliveries: Deliveries | None = None
    delay_ms: Delay | None = None

    @property
    def delivery(self) -> DeliveryOptions:
        return DeliveryOptions(self.deliveries, self.delay_ms)
