"""Requests and answers about notices."""

import base64
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from kit.messaging.inbox import EntryStatus
from kit.schemas import PageResponse, RequestModel, ResponseModel, example
from services.payments.paystack import event_types
from services.payments.webhooks.models import WebhookEvent

EventName = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
ReferenceFilter = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
WebhookEventId = Annotated[int, Field(ge=1, lt=2**63)]


def _in_our_time(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:
        raise ValueError("must be between the years 2000 and 2200")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]


class WebhookEventView(ResponseModel):
    """A notice without its body."""

    model_config = example(
        {
            "id": 4711,
            "event": "charge.success",
            "handling": "handled",
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

    id: int
    event: str | None = Field(description="Empty until it was read, and where it cannot be")
    handling: event_types.Handling | None = Field(default=None, description="What is done about this kind")
    reference: str | None
    identity: str | None = Field(description="What all deliveries of one happening share")
    status: EntryStatus = Field(description="failed: out of automatic attempts, needs an operator")
    outcome: str | None = Field(description="What it brought about")
    error: str | None
    attempts: int
    received_at: datetime
    next_attempt_at: datetime
    processed_at: datetime | None

    @model_validator(mode="after")
    def _classify(self) -> "WebhookEventView":
        if self.event is not None:
            self.handling = event_types.event_type_of(self.event).handling
        return self


class WebhookEventDetail(WebhookEventView):
    """A notice as it came."""

    body: str = Field(description="As text; where it is none, in base64")
    body_encoding: Literal["utf-8", "base64"]
    headers: dict[str, Any]

    @classmethod
    def of(cls, notice: WebhookEvent) -> "WebhookEventDetail":
        try:
            body, encoding = notice.body.decode(), "utf-8"
        except UnicodeDecodeError:
            body, encoding = base64.b64encode(notice.body).decode(), "base64"
        shown = WebhookEventView.model_validate(notice).model_dump()
        return cls.model_validate({**shown, "body": body, "body_encoding": encoding, "headers": notice.headers})


class WebhookEventPage(PageResponse[WebhookEventView]):
    """One page of webhook events."""


class Reprocess(RequestModel):
    """Which notices: all that every given field names; at least one field is needed."""

    model_config = example({"status": "failed", "from": "2026-11-23T00:00:00Z"})

    ids: list[WebhookEventId] | None = Field(default=None, min_length=1, max_length=1000)
    status: EntryStatus | None = None
    event: EventName | None = None
    from_: Moment | None = Field(default=None, alias="from", description="Received then or later")
    to: Moment | None = Field(default=None, description="Received before")
    cursor: Annotated[str, StringConstraints(max_length=1000)] | None = Field(
        default=None, description="`next_cursor` of the answer before, with the same fields"
    )

    @model_validator(mode="after")
    def _names_some(self) -> "Reprocess":
        if self.ids is None and self.status is None and self.event is None and self.from_ is None and self.to is None:
            raise ValueError("say which: ids, status, event, from or to")
        return self


class Reprocessed(ResponseModel):
    model_config = example({"count": 12, "next_cursor": None})

    count: int = Field(description="Notices that are pending again")
    next_cursor: str | None = Field(description="Where to go on, if there were more than 10,000")
