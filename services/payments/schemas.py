"""Requests and answers of payments."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from contracts.events import HeldReason
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.payments.models import PaymentStatus
from services.payments.settings import settings


def _return_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("must be an absolute http or https URL")
    origins = settings.payments_callback_origins
    if origins and f"{parts.scheme}://{parts.netloc}" not in origins:
        raise ValueError("must have an origin that this shop allows")
    return url


ReturnUrl = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,2000}$"), AfterValidator(_return_url)]


class StartPayment(RequestModel):
    model_config = example(
        {
            "order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "callback_url": "https://shop.example/thanks",
            "cancel_url": "https://shop.example/cart",
            "phone": "+2348012345678",
        }
    )

    order_id: UUID
    callback_url: ReturnUrl | None = Field(default=None, description="Where the payer's browser goes afterwards")
    cancel_url: ReturnUrl | None = Field(default=None, description="Where it goes when the payer cancels")
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()-]{5,20}$")] | None = None


class PaymentView(ResponseModel):
    model_config = example(
        {
            "reference": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "order_id": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "status": "pending",
            "amount": 1500000,
            "currency": "NGN",
            "authorization_url": "https://checkout.paystack.com/k3x9d0v7q2m5b8n",
            "access_code": "k3x9d0v7q2m5b8n",
            "paid_amount": None,
            "refunded_amount": 0,
            "refunding_amount": 0,
            "fees": None,
            "domain": None,
            "channel": None,
            "gateway_response": None,
            "held_reason": None,
            "created_at": "2026-11-23T09:30:00Z",
            "paid_at": None,
        }
    )

    reference: str
    order_id: UUID | None
    status: PaymentStatus
    amount: int = Field(description="Subunits that the order costs")
    currency: str
    authorization_url: str | None = Field(description="Where the payer pays")
    access_code: str | None
    paid_amount: int | None = Field(description="Subunits that were paid")
    refunded_amount: int = Field(description="Subunits that went back so far")
    refunding_amount: int = Field(default=0, description="Subunits on their way back; the refunds say why")
    fees: int | None
    domain: str | None = Field(description="The mode in which it was paid: test or live")
    channel: str | None
    gateway_response: str | None
    held_reason: HeldReason | None = Field(description="Why the payment needs a manual review")
    created_at: datetime
    paid_at: datetime | None


class PaymentPage(PageResponse[PaymentView]):
    """One page of payments."""
