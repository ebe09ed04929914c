"""Requests and responses about webhook events."""

import base64
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from kit.fields import Moment, Word
from kit.messaging.entry_status import EntryStatus
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.payments.paystack import event_types
from services.payments.webhooks.models import WebhookEvent

WebhookEventId = Annotated[int, Field(ge=1, lt=2**63)]


class StoredWebhook(ResponseModel):
    """The answer to Paystack: the webhook event is stored, and will be processed."""

    status: Literal["stored"]


class WebhookEventView(ResponseModel):
    """A webhook event without its body."""

    model_config = example(
        {
            "id": 4711,
            "event": "charge.success",
            "handling": "used",
            "reference": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "identity": "charge.success:4099260516",
            "status": "processed",
            "outcome": "succeeded",
            "error": None,
            "attempts": 1,
            "received_at": "2026-11-23T09:30:00Z",
            "next_attempt_at": "2026-11-23T09:30:00Z",
            "processed_at": "2026-11-23T09:30:00Z",
        }
    )

    id: int = Field(description="Id of the webhook event")
    event: str | None = Field(
        description="Paystack's name of the event; null if it is not processed yet or cannot be parsed"
    )
    handling: event_types.Handling | None = Field(
        default=None,
        description="What this service does with events of this type: `used` (they can change something), `ignored` (they change nothing) "
        "or `unknown` (the type is not known; they change nothing). `status` says whether this event is processed; null if `event` is null",
    )
    reference: str | None = Field(
        description="Reference of the payment; null if the event is not processed yet or contains none"
    )
    identity: str | None = Field(
        description="Equal for all deliveries of one event. The events of two equal partial refunds have the same identity too; "
        "null if the event is not processed yet or cannot be parsed"
    )
    status: EntryStatus = Field(
        description="`pending`: will be processed at `next_attempt_at`; `processed`: done, or closed by an operator; "
        "`failed`: all automatic attempts were used, or a retry cannot succeed (an operator reprocesses or closes it)"
    )
    outcome: str | None = Field(
        description="What the event changed, such as `succeeded`, `unchanged: succeeded` or `refund sync scheduled`"
    )
    error: str | None = Field(description="Why the last attempt failed")
    attempts: int = Field(description="Attempts to process the event so far")
    received_at: datetime = Field(description="Time at which the event was received")
    next_attempt_at: datetime = Field(description="Time of the next attempt, while `status` is `pending`")
    processed_at: datetime | None = Field(description="Time at which the event was processed")

    @model_validator(mode="after")
    def _set_handling(self) -> "WebhookEventView":
        if self.event is not None:
            self.handling = event_types.event_type_of(self.event).handling
        return self


class WebhookEventDetail(WebhookEventView):
    """A webhook event with its body and headers, as they were received."""

    body: str = Field(description="The received body: as text if it is UTF-8, in base64 otherwise")
    body_encoding: Literal["utf-8", "base64"] = Field(description="How `body` is encoded")
    headers: dict[str, Any] = Field(description="The received HTTP headers")

    @classmethod
    def of(cls, event: WebhookEvent) -> "WebhookEventDetail":
        """Return the details of a stored event."""
        try:
            body, encoding = event.body.decode(), "utf-8"
        except UnicodeDecodeError:
            body, encoding = base64.b64encode(event.body).decode(), "base64"
        view = WebhookEventView.model_validate(event).model_dump()
        return cls.model_validate({**view, "body": body, "body_encoding": encoding, "headers": event.headers})


class WebhookEventPage(PageResponse[WebhookEventView]):
    """A page of webhook events."""


class Reprocess(RequestModel):
    """Which webhook events to reprocess: those that have one of `ids` and match all other fields. At least one field is required."""

    model_config = example({"status": "failed", "from": "2026-11-23T00:00:00Z"})

    ids: list[WebhookEventId] | None = Field(
        default=None, min_length=1, max_length=1000, description="Only events with these ids"
    )
    status: EntryStatus | None = Field(default=None, description="Only events with this status")
    event: Word | None = Field(default=None, description="Only events of this type, such as charge.success")
    from_: Moment | None = Field(default=None, alias="from", description="Only events received at this time or later")
    to: Moment | None = Field(default=None, description="Only events received before this time")
    cursor: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="`next_cursor` of the previous response; the other fields must be the same as before"
    )

    @model_validator(mode="after")
    def _check_not_empty(self) -> "Reprocess":
        if self.ids is None and self.status is None and self.event is None and self.from_ is None and self.to is None:
            raise ValueError("at least one of ids, status, event, from and to is required")
        return self


class Reprocessed(ResponseModel):
    """The result of a request to reprocess webhook events."""

    model_config = example({"count": 12, "next_cursor": None})

    count: int = Field(description="Number of events that were scheduled for processing")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to reprocess the next 10,000 events; null if there are no more"
    )
