"""The request with which staff fulfil an order."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from kit.fields import Line
from kit.schemas import RequestModel, example
from services.catalog.orders.schemas import MAX_ITEMS, PRODUCT_ID, Quantity
from services.catalog.statuses import FulfilmentStep

Tracking = Annotated[Line, StringConstraints(max_length=100)]


class FulfilledItem(RequestModel):
    product_id: UUID | None = Field(
        default=None, description="Id of the product; enough if the order has one variant of it"
    )
    variant_id: UUID | None = Field(default=None, description="Id of the variant. This or `product_id` is required")
    quantity: Quantity

    @model_validator(mode="after")
    def _check_item(self) -> "FulfilledItem":
        if self.product_id is None and self.variant_id is None:
            raise ValueError("product_id or variant_id is required")
        return self


class FulfilItems(RequestModel):
    model_config = example(
        {"step": "ship", "items": [{"product_id": PRODUCT_ID, "quantity": 1}], "tracking": "GIG-4711"}
    )

    items: list[FulfilledItem] = Field(
        min_length=1,
        max_length=MAX_ITEMS,
        description="Units of the order; the quantities of a repeated variant are added up",
    )
    step: FulfilmentStep = Field(
        default=FulfilmentStep.DELIVER,
        description="What was done with the units: `pack`, `ship` or `deliver`. A step also records those before it. "
        "For a service, only `deliver` is possible",
    )
    tracking: Tracking | None = Field(
        default=None, description="Number of the parcel at the carrier, for `ship` and `deliver`"
    )

    @model_validator(mode="after")
    def _check_tracking(self) -> "FulfilItems":
        if self.tracking is not None and self.step == FulfilmentStep.PACK:
            raise ValueError("tracking is only possible for the steps ship and deliver")
        return self
