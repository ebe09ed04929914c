"""Schemas of the webhook events in Paystack's archive."""

from tests.integration.sandbox.conformance.schemas import (
    DOMAIN,
    INTEGER,
    OBJECT,
    TEXT,
    TIME,
    list_of,
    nullable,
    object_with,
    one_of,
)

EVENT = object_with(
    _id={"type": "string", "pattern": "^[0-9a-f]{24}$"},
    domain=DOMAIN,
    category=TEXT,
    event_name=TEXT,
    category_row_id=nullable(INTEGER),
    status=one_of("Delivered", "Pending", "Failed"),
    status_detail=TEXT,
    response_code=nullable(INTEGER),
    trial_count=INTEGER,
    created_at=TIME,
    updated_at=TIME,
)
EVENT_FETCHED = object_with(
    **EVENT["properties"]
    | {
        "event_payload": object_with(event=TEXT, data={"type": ["object", "array"]}),
        "webhook_url": TEXT,
        "merchant_response_body": nullable(TEXT),
        "trials": list_of(OBJECT),
    }
)
