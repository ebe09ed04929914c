"""Requests and responses of disputes."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from kit.fields import MAX_AMOUNT, EmailAddress, Line, NonEmptyParagraph, Pattern, PhoneNumber, Word
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.payments.models import DisputeResolution, DisputeStatus

Filename = Annotated[
    str,
    Pattern(
        r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,149}$",
        "must be 1 to 150 letters, digits, spaces and the signs . _ -, beginning with a letter or a digit",
    ),
]


class Evidence(RequestModel):
    """Evidence that the order was fulfilled, for the bank."""

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

    customer_email: EmailAddress = Field(description="E-mail address of the customer")
    customer_name: Line = Field(description="Name of the customer")
    customer_phone: PhoneNumber = Field(description="Phone number of the customer")
    service_details: NonEmptyParagraph = Field(description="What was sold and how it was delivered")
    delivery_address: Line | None = Field(default=None, description="Address to which the order was delivered")
    delivery_date: date | None = Field(default=None, description="Date of the delivery")


class RequestUpload(RequestModel):
    """Which file to upload."""

    model_config = example({"filename": "receipt.pdf"})

    filename: Filename = Field(description="Name of the file, with its extension")


class UploadView(ResponseModel):
    """An upload URL for a file of evidence."""

    upload_url: str = Field(description="PUT the file there within 30 minutes")
    uploaded_filename: str = Field(description="Pass it to `/resolve` after the upload")


class ResolveDispute(RequestModel):
    """The response to a dispute: accept it and refund the payer, or decline it and let the bank decide."""

    model_config = example(
        {
            "resolution": "declined",
            "message": "Delivered on 20 November and signed for",
            "uploaded_filename": "qesp8a4df1xejihd9x5q",
        }
    )

    resolution: Literal[DisputeResolution.MERCHANT_ACCEPTED, DisputeResolution.DECLINED] = Field(
        description="`merchant-accepted`: the payer is refunded; `declined`: you contest it and the bank decides"
    )
    message: NonEmptyParagraph = Field(description="Explanation of the response. It is sent to Paystack and stored")
    refund_amount: Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)] | None = Field(
        default=None,
        description="Amount to refund, in subunits; if absent, the disputed amount for `merchant-accepted` and 0 for `declined`",
    )
    uploaded_filename: Word = Field(
        description="`uploaded_filename` of an upload. Paystack requires a file for both resolutions"
    )


class DisputeView(ResponseModel):
    """A dispute."""

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
            "response_message": None,
            "responded_by": None,
        }
    )

    id: int = Field(description="Paystack's id of the dispute, as its dashboard shows it")
    reference: str | None = Field(
        description="Reference of the payment. It can be a reference that is unknown to this shop"
    )
    amount: int | None = Field(
        description="The amount that Paystack reported last, in subunits: while the dispute is open, the disputed amount; after it is "
        "lost, the amount that the payer gets back. The whole paid amount if Paystack reported none"
    )
    currency: str | None = Field(description="ISO 4217 code")
    category: str | None = Field(description="Paystack's category, such as `chargeback` or `fraud`")
    status: DisputeStatus = Field(
        description="Paystack's status; `awaiting-merchant-feedback` and `pending` wait for a response"
    )
    resolution: str | None = Field(description="`merchant-accepted`, `auto-accepted` or `declined`")
    lost: bool | None = Field(
        description="True if the payer gets money back; null until the dispute is resolved or archived"
    )
    opened_at: datetime = Field(description="Time at which the payer opened the dispute")
    due_at: datetime = Field(
        description="If we have not responded by this time, Paystack accepts the dispute on our behalf"
    )
    resolved_at: datetime | None = Field(description="Time at which the dispute was resolved")
    evidence: dict[str, Any] | None = Field(description="The evidence that was sent last")
    response_message: str | None = Field(description="The `message` that was sent with the response to the dispute")
    responded_by: str | None = Field(
        description="The account or program that responded; for a command, `operator:` and the user of the operating system; null without "
        "a response from here"
    )


class DisputePage(PageResponse[DisputeView]):
    """A page of disputes."""
