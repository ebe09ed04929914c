"""The events that one service publishes and another consumes: CloudEvents 1.0, structured JSON.

`type` is the routing key and `subject` the id of the order or the account. Changes only add fields: consumers ignore unknown fields, and an
example of every published version must still parse (tests/unit/contracts/examples).
"""

import re
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID, uuid4, uuid5

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from contracts.metadata import MAX_METADATA
from contracts.reasons import PublishedHeldReason, UndeliverableReason

CONTENT_TYPE = "application/cloudevents+json"


def _check_storable(text: str) -> str:
    if re.search("[\x00\ud800-\udfff]", text):
        raise ValueError("must not contain NUL or lone surrogates")
    return text


Text = Annotated[str, AfterValidator(_check_storable)]
"""A text that Postgres can store. Every text of an event is one, so that a consumer never fails to store an event that it could parse."""

Reference = Annotated[Text, Field(min_length=1, max_length=200, description="The payment's reference at Paystack")]
Subunits = Annotated[int, Field(ge=0, le=2**53, description="Subunits of the currency (kobo, pesewa, cent)")]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]
AttachedMetadata = Annotated[dict[Text, Text], Field(max_length=MAX_METADATA)]
DisputeId = Annotated[int, Field(ge=0, lt=2**63, description="The dispute's id at Paystack")]

EVENT_ID_NAMESPACE = UUID("6d0a2b5e-3c1f-4e57-9d0e-0f6a7c1b9e42")


class EventType(StrEnum):
    """The `type` of an event, which is also its routing key."""

    PAYMENT_STARTED = "payment.started"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_ABANDONED = "payment.abandoned"
    PAYMENT_HELD = "payment.held"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_DISPUTED = "payment.disputed"
    PAYMENT_DISPUTE_RESOLVED = "payment.dispute_resolved"
    PAYMENT_TRANSFER_REJECTED = "payment.transfer_rejected"
    ORDER_UNDELIVERABLE = "order.undeliverable"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_MERGED = "account.merged"
    ACCOUNT_DELETED = "account.deleted"


def event_id_for(event_type: str, *identifiers: object) -> UUID:
    """Derive an event's id from its type and from the values that identify it, such as the payment's reference.

    The same values always give the same id, so inboxes recognize a republished event.
    """
    return uuid5(EVENT_ID_NAMESPACE, "/".join([event_type, *map(str, identifiers)]))


class EventData(BaseModel, ABC):
    """The base class of the `data` of all events."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    @abstractmethod
    def subject(self) -> str:
        """The id that the event must have as its `subject`."""


class OrderPaymentData(EventData):
    """The payment and the order that an event is about. Consumers compare these values with their own rows."""

    reference: Reference
    order_id: UUID
    amount: Subunits = Field(description="The order's amount, which the payer had to pay")
    currency: CurrencyCode

    @property
    def subject(self) -> str:
        return str(self.order_id)


class PaymentData(OrderPaymentData):
    """The `data` of all events that the payments service publishes."""

    metadata: AttachedMetadata = Field(
        default={},
        description="`metadata` of the request that started the payment, otherwise that of the order",
    )


class PaymentStartedData(PaymentData):
    payable_until: AwareDatetime | None = Field(
        default=None,
        description="The payer can pay until this time. Absent if the checkout has no end, or its end is not known",
    )


class PaymentAbandonedData(PaymentData):
    pass


class PaymentSucceededData(PaymentData):
    paid_amount: Subunits = Field(description="The amount that the payer paid, including fees if the payer bears them")
    channel: Text | None = Field(default=None, max_length=50, description="Paystack's payment channel: card, bank, …")
    paid_at: AwareDatetime | None = None


class PaymentFailedData(PaymentData):
    reason: Text = Field(max_length=500, description="Paystack's gateway_response. For display, not for program logic")


class PaymentHeldData(PaymentData):
    reason: PublishedHeldReason
    paid_amount: Subunits
    paid_currency: Text = Field(max_length=10)


class PaymentRefundedData(PaymentData):
    refunded_amount: Subunits = Field(
        description="The sum of all refunds and chargebacks of this payment so far, in subunits of `refunded_currency`"
    )
    refunded_currency: Text | None = Field(
        default=None,
        max_length=10,
        description="The currency in which the payer paid and gets money back. An operator may have accepted another one than `currency`. "
        "Absent: `currency`",
    )
    fully_refunded: bool | None = Field(
        default=None, description="True if the whole paid amount is refunded. The paid amount may differ from `amount`"
    )
    overpaid_amount: Subunits = Field(
        default=0,
        description="How much more than `amount` the payer paid; 0 if the difference is exactly Paystack's fee, or if the payer paid in "
        "another currency. What was paid too much counts as refunded first: only the part of `refunded_amount` above `overpaid_amount` is "
        "a refund of the order",
    )


class PaymentDisputedData(PaymentData):
    dispute_id: DisputeId
    disputed_amount: Subunits | None = Field(
        default=None, description="The amount that Paystack reported; the whole paid amount if it reported none"
    )
    due_at: AwareDatetime = Field(
        description="If we have not responded by this time, Paystack accepts the dispute on our behalf"
    )


class PaymentDisputeResolvedData(PaymentData):
    dispute_id: DisputeId
    resolution: Text | None = Field(
        default=None, max_length=50, description="Paystack's resolution: merchant-accepted, auto-accepted, declined"
    )
    lost: bool = Field(
        description="True if the payer gets money back. payment.refunded reports the amount when the money is returned"
    )


class PaymentTransferRejectedData(PaymentData):
    rejected_amount: Subunits | None = Field(
        default=None,
        description="The amount of the transfer, in subunits of `currency`; absent if Paystack did not report it",
    )
    reason: Text | None = Field(default=None, max_length=50, description="Paystack's code, such as INCORRECT_AMOUNT")
    message: Text | None = Field(default=None, max_length=200, description="Paystack's words. For display only")


class OrderUndeliverableData(OrderPaymentData):
    reason: UndeliverableReason
    metadata: AttachedMetadata = Field(
        default={}, description="`metadata` of the request that placed the order; empty if there is no such order"
    )


class AccountData(EventData):
    """The `data` of all events about accounts."""

    account_id: UUID

    @property
    def subject(self) -> str:
        return str(self.account_id)


class AccountPersonData(AccountData):
    email: Text | None = Field(
        default=None, max_length=320, description="The account's e-mail address; absent for a guest"
    )
    name: Text | None = Field(default=None, max_length=200, description="The account's display name")


class AccountChangedData(AccountPersonData):
    pass


class AccountMergedData(AccountPersonData):
    """`email` and `name` are those of `merged_into`."""

    email: Text | None = Field(
        default=None,
        max_length=320,
        description="The e-mail address of `merged_into`; absent if that account has been deleted since",
    )
    name: Text | None = Field(
        default=None, max_length=200, description="The display name of `merged_into`, if it has one"
    )

    merged_into: UUID = Field(description="The account that owns what belonged to `account_id`")


class AccountDeletedData(AccountData):
    pass


class Event(BaseModel):
    """The CloudEvents 1.0 envelope (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(default_factory=uuid4)
    source: str
    type: str
    subject: str = Field(max_length=64, description="The id of the order or the account")
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = Field(default=None, max_length=55, description="W3C trace context of the purchase")
    data: EventData

    @model_validator(mode="after")
    def _check_subject(self) -> Self:
        if self.subject != self.data.subject:
            raise ValueError("the subject must be the id of the order or the account")
        return self


class PaymentStarted(Event):
    """The payer can pay. Stock is reserved until `payable_until`, at most CATALOG_MAX_RESERVATION_SECONDS after the order was placed."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_STARTED] = EventType.PAYMENT_STARTED
    data: PaymentStartedData


class PaymentSucceeded(Event):
    """The order can be delivered: its amount was paid in its currency and our mode, or an operator accepted or bound the payment."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_SUCCEEDED] = EventType.PAYMENT_SUCCEEDED
    data: PaymentSucceededData


class PaymentFailed(Event):
    """A payment attempt was declined. The order may still be paid by another attempt."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_FAILED] = EventType.PAYMENT_FAILED
    data: PaymentFailedData


class PaymentAbandoned(Event):
    """A payment attempt was given up: it was refused, or was not paid in time. The order may still be paid by another attempt."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_ABANDONED] = EventType.PAYMENT_ABANDONED
    data: PaymentAbandonedData


class PaymentHeld(Event):
    """A payment does not match its order. Nothing is delivered until an operator decides."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_HELD] = EventType.PAYMENT_HELD
    data: PaymentHeldData


class PaymentRefunded(Event):
    """Money was returned to the payer, by a refund or a chargeback."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_REFUNDED] = EventType.PAYMENT_REFUNDED
    data: PaymentRefundedData


class PaymentDisputed(Event):
    """The payer disputed the payment at the bank. An operator has to respond; the money may have to be returned."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_DISPUTED] = EventType.PAYMENT_DISPUTED
    data: PaymentDisputedData


class PaymentDisputeResolved(Event):
    """A dispute was resolved. `lost` says whether money is returned to the payer."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_DISPUTE_RESOLVED] = EventType.PAYMENT_DISPUTE_RESOLVED
    data: PaymentDisputeResolvedData


class PaymentTransferRejected(Event):
    """Paystack rejected a bank transfer of the payer and returns its money. The order may still be paid by another transfer."""

    source: Literal["/payments"] = "/payments"
    type: Literal[EventType.PAYMENT_TRANSFER_REJECTED] = EventType.PAYMENT_TRANSFER_REJECTED
    data: PaymentTransferRejectedData


class OrderUndeliverable(Event):
    """A paid order cannot be delivered. payments refunds the payment."""

    source: Literal["/catalog"] = "/catalog"
    type: Literal[EventType.ORDER_UNDELIVERABLE] = EventType.ORDER_UNDELIVERABLE
    data: OrderUndeliverableData


class PersonEvent(Event):
    """The base class of events with a name and an e-mail address."""

    data: AccountPersonData

    def without_person(self) -> Self:
        """Return the event without name and e-mail address."""
        return self.model_copy(update={"data": self.data.model_copy(update={"email": None, "name": None})})


class AccountChanged(PersonEvent):
    """The e-mail address or the name of an account was changed, or a guest became an account under the same id."""

    source: Literal["/auth"] = "/auth"
    type: Literal[EventType.ACCOUNT_CHANGED] = EventType.ACCOUNT_CHANGED
    data: AccountChangedData


class AccountMerged(PersonEvent):
    """A guest was merged into an existing account. Orders, payments and cards of the guest belong to that account from now on."""

    source: Literal["/auth"] = "/auth"
    type: Literal[EventType.ACCOUNT_MERGED] = EventType.ACCOUNT_MERGED
    data: AccountMergedData


class AccountDeleted(Event):
    """An account was deleted. Consumers erase name, e-mail address and telephone number, and keep what bookkeeping needs."""

    source: Literal["/auth"] = "/auth"
    type: Literal[EventType.ACCOUNT_DELETED] = EventType.ACCOUNT_DELETED
    data: AccountDeletedData


PaymentEvent = (
    PaymentStarted
    | PaymentSucceeded
    | PaymentFailed
    | PaymentAbandoned
    | PaymentHeld
    | PaymentRefunded
    | PaymentDisputed
    | PaymentDisputeResolved
    | PaymentTransferRejected
)
AccountEvent = AccountChanged | AccountMerged | AccountDeleted
AnyEvent = Annotated[PaymentEvent | OrderUndeliverable | AccountEvent, Field(discriminator="type")]
EVENT_ADAPTER: TypeAdapter[PaymentEvent | OrderUndeliverable | AccountEvent] = TypeAdapter(AnyEvent)
"""Parses any event: `EVENT_ADAPTER.validate_json(body)`. Raises pydantic.ValidationError if the body is not an event."""
