"""Responses and query parameters of the audit log."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from kit.fields import Moment, Word
from kit.schemas import PageResponse, ResponseModel, example

ActorParam = Annotated[Word | None, Query(description="Only acts of this actor: `actor` of an entry")]
ActParam = Annotated[Word | None, Query(description="Only acts of this kind: `act` of an entry")]
SubjectParam = Annotated[Word | None, Query(description="Only acts on this subject: `subject` of an entry")]
FromParam = Annotated[Moment | None, Query(alias="from", description="Only acts at this time or later")]
ToParam = Annotated[Moment | None, Query(description="Only acts before this time")]


class AuditEntryView(ResponseModel):
    """The record of an act."""

    model_config = example(
        {
            "id": 12,
            "recorded_at": "2026-11-23T09:30:00Z",
            "actor": "7a0c1c3e-3c7e-4f0e-9a53-0f4c8e3b7c55",
            "address": "203.0.113.7",
            "act": "payment.accepted",
            "subject": "pay-4f1c2b7e9d0a4c6f8b3e5d7a9c1e2f40",
            "before": {"status": "held", "held_reason": "amount_differs"},
            "after": {"status": "succeeded"},
            "reason": "50 kobo short; waived for a regular customer",
            "request_id": "9f2c4d1e0b7a4c6f8b3e5d7a9c1e2f40",
        }
    )

    id: int = Field(description="Id of the entry")
    recorded_at: datetime = Field(description="Time of the act")
    actor: str = Field(
        description="Account or program that acted; for a command, `operator:` and the user of the operating system"
    )
    address: str | None = Field(description="IP address of the client; name of the host for a command")
    act: str = Field(description="What was done, such as `payment.accepted`")
    subject: str = Field(description="What was changed, such as the reference of a payment")
    before: dict[str, Any] | None = Field(description="The changed values before the act")
    after: dict[str, Any] | None = Field(description="The changed values after the act")
    reason: str | None = Field(description="The reason that the actor gave, or null")
    request_id: str | None = Field(description="`X-Request-ID` of the request; null for a command")


class AuditPage(PageResponse[AuditEntryView]):
    """One page of audit entries."""
