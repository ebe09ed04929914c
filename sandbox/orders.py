"""What a script's orders have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Subunits = Annotated[int, Field(ge=0, le=10**15)]
Deliveries = Annotated[int, Field(ge=0, le=1_000, description="How often the webhook is sent; 0: lost on its way.")]
Delay = Annotated[int, Field(ge=0, le=3_600_000, description="Milliseconds that the webhook waits before it is sent.")]
Times = Annotated[int | None, Field(ge=1, le=1_000_000, description="Then the sky clears; without it the fault stays.")]
