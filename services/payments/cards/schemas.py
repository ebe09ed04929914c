"""What payers send and see of their cards."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from kit.schemas import ListResponse, RequestModel, ResponseModel, example


class ChargeCard(RequestModel):
    model_config = example(
        {
            "order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "card_id": "5d2f0c1e-8a4b-4f6d-9c3e-7b1a2d4e6f80",
        }
    )

    order_id: UUID
    card_id: UUID


class CardView(ResponseModel):
    model_config = example(
        {
            "id": "5d2f0c1e-8a4b-4f6d-9c3e-7b1a2d4e6f80",
            "brand": "visa",
            "last4": "4081",
            "exp_month": 12,
            "exp_year": 2030,
            "bank": "TEST BANK",
            "created_at": "2026-11-23T09:30:00Z",
        }
    )

    id: UUID
    brand: str | None
    last4: str | None = Field(description="Of the card's number, which we never see")
    exp_month: int | None
    exp_year: int | None
    bank: str | None
    created_at: datetime


class Cards(ListResponse[CardView]):
    """The saved cards of the caller."""
