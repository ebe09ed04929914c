"""Requests and responses of stock."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from kit.fields import Line
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.catalog.statuses import StockMovementKind

MAX_UNITS = 1_000_000_000
MAX_AFFECTED = 100

Units = Annotated[int, Field(strict=True, ge=0, le=MAX_UNITS)]


class MoveStock(RequestModel):
    model_config = example({"kind": "received", "quantity": 5, "reason": "Delivery 4711"})

    kind: Literal["received", "counted", "written_off", "returned"] = Field(
        description="`received` and `returned` add units, `written_off` removes them, `counted` sets the number of units that are there"
    )
    quantity: Units = Field(description="Number of units, at least 1; for `counted` the number that was counted")
    expected: Units | None = Field(
        default=None,
        description="Required for `counted`, and only allowed there: `on_hand` as you know it. "
        "If it has changed, the answer is 409 with the current number",
    )
    reason: Line = Field(description="Why the stock changes, for the history")

    @model_validator(mode="after")
    def _check(self) -> "MoveStock":
        if (self.kind == "counted") != (self.expected is not None):
            raise ValueError("expected is required for the kind counted, and only allowed there")
        if self.kind != "counted" and self.quantity == 0:
            raise ValueError("quantity must be at least 1")
        return self


class UpdateStock(RequestModel):
    model_config = example({"backorder_limit": 20})

    backorder_limit: Units = Field(description="Units that can be ordered although they are not there")


class StockLevelView(ResponseModel):
    model_config = example({"on_hand": 25, "reserved": 3, "available": 22, "backorder_limit": 0, "affected_orders": []})

    on_hand: int = Field(description="Units that are there")
    reserved: int = Field(description="Units that pending orders have reserved, or that paid orders wait for")
    available: int = Field(
        description="`on_hand` minus `reserved`, without `backorder_limit`; 0 if more is reserved than is there. `availability` and "
        "`stock` of the product include `backorder_limit`"
    )
    backorder_limit: int = Field(description="Units that can be ordered although they are not there")
    affected_orders: list[UUID] = Field(
        default=[],
        description="The pending orders that have reserved units, newest first, if `reserved` is greater than `on_hand` plus "
        f"`backorder_limit`; otherwise empty. At most {MAX_AFFECTED}. Cancel some of them, or receive more units",
    )


class StockMovementView(ResponseModel):
    id: int = Field(description="Number of the movement")
    kind: StockMovementKind = Field(description="Why the level changed")
    quantity: int = Field(description="Number of units; for `counted` the number that was counted")
    on_hand_change: int = Field(description="Change of `on_hand`")
    reserved_change: int = Field(description="Change of `reserved`")
    order_id: UUID | None = Field(
        description="The order for which units were reserved, released, sold or returned; null for movements that staff record"
    )
    actor: str = Field(description="The account or the part of the system that caused it")
    reason: str | None = Field(
        description="Why the stock changed: the text of a member of staff, or of catalog itself; null if an order caused the change"
    )
    created_at: datetime = Field(description="When the level changed")


class StockMovementPage(PageResponse[StockMovementView]):
    """One page of stock movements."""
