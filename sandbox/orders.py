"""What a script's orders have in common."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Number = Annotated[int, Path(ge=0, lt=2**63)]
Subunits = Annotated[int, Field(ge=0, le=10**15)]
Deliveries = Annotated[int, Field(ge=0, le=1_000, description="How often the webhook is sent; 0: lost on its way.")]
Delay = Annotated[int, Field(ge=0, le=3_600_000, description="Milliseconds that the webhook waits before it is sent.")]
Times = Annotated[int | None, Field(ge=1, le=1_000_000, description="Then the sky clears; without it the fault stays.")]


@dataclass(frozen=True, slots=True)
class Order:
    """How a script wants an event to be delivered; None is as the weather has it."""

    deliveries: int | None = None
    """0: lost on its way."""
    delay_ms: int | None = None


ONCE = Order()


class Raising(Strict):
    """An order that raises a webhook; what is left out is as the weather has it."""

    deliveries: Deliveries | None = None
    delay_ms: Delay | None = None

    @property
    def order(self) -> Order:
        return Order(self.deliveries, self.delay_ms)
