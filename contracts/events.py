"""Every event that one service publishes and another consumes: CloudEvents 1.0, structured JSON.

`type` is the routing key and `subject` the order's id. Events evolve by addition only: a consumer ignores fields that it does not
know, and one example of every version ever published must go on parsing (tests/contracts/examples).
"""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

CONTENT_TYPE = "application/cloudevents+json"

Reference = Annotated[str, Field(min_length=1, max_length=200, description="The payment's reference at Paystack")]
Subunits = Annotated[int, Field(ge=0, le=2**53, description="Subunits of the currency (kobo, pesewa, cent)")]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]


EVENT_ID_NAMESPACE = UUID("6d0a2b5e-3c1f-4e57-9d0e-0f6a7c1b9e42")


def event_id_for(kind: str, *of: object) -> UUID:
    """The id of an event that tells a fact: whenever it is told again it has the same, and an inbox that took it knows it."""
    return uuid5(EVENT_ID_NAMESPACE, "/".join([kind, *map(str, of)]))


class Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PaymentData(Data):
    reference: Reference
    order_id: UUID
    amount: Subunits = Field(description="The order's amount, which was compared with what was paid")
    currency: CurrencyCode


class PaymentSucceededData(PaymentData):
    paid_amount: Subunits = Field(description="What the payer paid: the amount, plus fees where the payer bears them")
    channel: str | None = Field(default=None, max_length=50)
    paid_at: AwareDatetime | None = None


class PaymentFailedData(PaymentData):
    reason: str = Field(max_length=500, description="Paystack's gateway_response: for people, not for branching")


class PaymentHeldData(PaymentData):
    reason: Literal["amount_differs", "currency_differs", "mode_differs"]
    paid_amount: Subunits
    paid_currency: str = Field(max_length=10)


class PaymentRefundedData(PaymentData):
    refunded_amount: Subunits = Field(description="All refunds of this payment so far, together")
    fully_refunded: bool | None = Field(
        default=None, description="Whether all that was paid has gone back, which may be more or less than `amount`"
    )


DisputeId = Annotated[int, Field(ge=0, lt=2**63, description="The dispute's id at Paystack")]


class PaymentDisputedData(PaymentData):
    dispute_id: DisputeId
    disputed_amount: Subunits | None = Field(default=None, description="What the payer wants back, where it is known")
    due_at: AwareDatetime = Field(description="Unanswered until then, it is accepted in our name")


class PaymentDisputeResolvedData(PaymentData):
    dispute_id: DisputeId
    resolution: str | None = Field(
        default=None, max_length=50, description="Paystack's word: merchant-accepted, auto-accepted, declined"
    )
    lost: bool = Field(description="Whether money goes back; payment.refunded says when it has, and how much")


class OrderUndeliverableData(Data):
    reference: Reference
    order_id: UUID
    amount: Subunits
    currency: CurrencyCode
    reason: Literal["expired_and_sold_out", "cancelled", "already_paid", "unknown_order", "amount_differs"]


class Event(BaseModel):
    """The CloudEvents 1.0 envelope (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(default_factory=uuid4)
    source: str
    type: str
    subject: str = Field(max_length=64, description="The order's id")
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = Field(default=None, max_length=55, description="W3C trace context of the cause")


class PaymentSucceeded(Event):
    """The order's amount was paid, in its currency and in our mode: deliver."""

    source: Literal["/payments"] = "/payments"
    type: Literal["payment.succeeded"] = "payment.succeeded"
    data: PaymentSucceededData


class PaymentFailed(Event):
    """An attempt to pay was declined; the order may still be paid by another."""

    source: Literal["/payments"] = "/payments"
    type: Literal["payment.failed"] = "payment.failed"
    data: PaymentFailedData


class PaymentHeld(Event):
    """Money came that does not match the order: nothing is delivered until a person decides."""

    source: Literal["/payments"] = "/payments"
    type: Literal["payment.held"] = "payment.held"
    data: PaymentHeldData


class PaymentRefunded(Event):
    """Money went back to the payer."""

    source: Literal["/payments"] = "/payments"
    type: Literal["payment.refunded"] = "payment.refunded"
    data: PaymentRefundedData


class PaymentDisputed(Event):
    """The payer complained at the bank; the money may have to go back. A person answers it."""

    source: Literal["/payments"] = "/payments"
    type: Literal["payment.disputed"] = "payment.disputed"
    data: PaymentDisputedData


class PaymentDisputeResolved(Event):
    """A dispute is over; the money stays, or goes back."""

    source: Literal["/payments"] = "/payments"
    type: Literal["payment.dispute_resolved"] = "payment.dispute_resolved"
    data: PaymentDisputeResolvedData


class OrderUndeliverable(Event):
    """A paid order cannot be delivered: payments gives the money back."""

    source: Literal["/catalog"] = "/catalog"
    type: Literal["order.undeliverable"] = "order.undeliverable"
    data: OrderUndeliverableData


PaymentEvent = (
    PaymentSucceeded | PaymentFailed | PaymentHeld | PaymentRefunded | PaymentDisputed | PaymentDisputeResolved
)
AnyEvent = Annotated[PaymentEvent | OrderUndeliverable, Field(discriminator="type")]
EVENT: TypeAdapter[PaymentEvent | OrderUndeliverable] = TypeAdapter(AnyEvent)
"""Reads any event: `EVENT.validate_json(body)`; raises pydantic.ValidationError on what is none."""
