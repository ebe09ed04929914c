"""Requests and responses of saved cards."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from kit.fields import Metadata
from kit.schemas import ListResponse, RequestModel, ResponseModel, example
from services.payments.schemas import PAYMENT_METADATA


class ChargeCard(RequestModel):
    model_config = example(
        {
            "order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "card_id": "5d2f0c1e-8a4b-4f6d-9c3e-7b1a2d4e6f80",
        }
    )

    order_id: UUID = Field(description="Id of the order to pay for")
    card_id: UUID = Field(description="Id of the saved card to charge")
    metadata: Metadata | None = Field(default=None, description=PAYMENT_METADATA)


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

    id: UUID = Field(description="Id of the saved card")
    brand: str | None = Field(description="Card brand as Paystack names it, such as visa")
    last4: str | None = Field(description="Last four digits of the card number. The full number is never stored")
    exp_month: int | None = Field(description="Month of expiry, 1 to 12")
    exp_year: int | None = Field(description="Year of expiry, four digits")
    bank: str | None = Field(description="Bank that issued the card")
    created_at: datetime = Field(description="Time at which the card was first saved")


class Cards(ListResponse[CardView]):
    """The saved cards of a customer."""
