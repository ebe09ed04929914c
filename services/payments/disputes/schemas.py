"""What operators send and see of disputes."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from kit.fields import MAX_AMOUNT, Line, Paragraph
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.payments.models import DisputeResolution, DisputeStatus

Words = Annotated[Paragraph, StringConstraints(min_length=1, max_length=2000)]
Filename = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,149}$")]


class Evidence(RequestModel):
    """What speaks for us."""

    model_config = example(
        {
            "customer_email": "ada@example.com",
            "customer_name": "Ada Obi",
            "customer_phone": "+2348012345678",
            "service_details": "Two cups, delivered on 20 November and signed for",
            "delivery_address": "3 Marina Road, Lagos",
            "delivery_date": "2026-11-20",
        }
    )

    customer_email: Annotated[Line, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
    customer_name: Line
    customer_phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()-]{5,20}$")]
    service_details: Words
    delivery_address: Line | None = None
    delivery_date: date | None = None


class RequestUpload(RequestModel):
    model_config = example({"filename": "receipt.pdf"})

    filename: Filename


class UploadView(ResponseModel):
    upload_url: str = Field(description="PUT the file there within half an hour")
    uploaded_filename: str = Field(description="Name it so when the dispute is resolved")


class Resolve(RequestModel):
    """Our answer: give the money back, or decline and let the bank decide."""

    model_config = example(
        {
            "resolution": "declined",
            "message": "Delivered on 20 November and signed for",
            "uploaded_filename": "qesp8a4df1xejihd9x5q",
        }
    )

    resolution: Literal[DisputeResolution.MERCHANT_ACCEPTED, DisputeResolution.DECLINED]
    message: Words = Field(description="Told to Paystack, and recorded")
    refund_amount: Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)] | None = Field(
        default=None, description="Subunits to give back; what the payer wants when accepted, nothing when declined"
    )
    uploaded_filename: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")] = Field(
        description="From the upload: Paystack asks for a file with either answer"
    )


class DisputeView(ResponseModel):
    model_config = example(
        {
            "id": 358950,
            "reference": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "amount": 1500000,
            "currency": "NGN",
            "category": "chargeback",
            "status": "awaiting-merchant-feedback",
            "resolution": None,
            "lost": None,
            "opened_at": "2026-11-23T09:30:00Z",
            "due_at": "2026-11-24T01:30:00Z",
            "resolved_at": None,
            "evidence": None,
            "answer": None,
            "answered_by": None,
        }
    )

    id: int = Field(description="Paystack's, as its dashboard shows it")
    reference: str | None = Field(description="The payment's; of money that we know nothing of, Paystack's")
    amount: int | None = Field(description="Subunits that the payer wants back; of a lost one, what goes back")
    currency: str | None
    category: str | None
    status: DisputeStatus
    resolution: str | None = Field(description="merchant-accepted, auto-accepted or declined")
    lost: bool | None = Field(description="Whether money goes back; empty until it is over")
    opened_at: datetime
    due_at: datetime = Field(description="Unanswered until then, it is accepted in our name")
    resolved_at: datetime | None
    evidence: dict[str, Any] | None = Field(description="What we sent last")
    answer: str | None
    answered_by: str | None = Field(description="An account's id")


class DisputePage(PageResponse[DisputeView]):
    """One page of disputes."""
