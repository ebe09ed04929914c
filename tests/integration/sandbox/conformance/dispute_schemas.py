"""Schemas of disputes, their evidence and their webhooks."""

from tests.integration.sandbox.conformance.json_schema import Schema
from tests.integration.sandbox.conformance.schemas import (
    ANY,
    CURRENCY,
    CUSTOMER,
    DOMAIN,
    INTEGER,
    MONEY,
    NULL,
    OBJECT,
    TEXT,
    TIME,
    list_of,
    nullable,
    object_with,
    one_of,
)
from tests.integration.sandbox.conformance.transaction_schemas import TRANSACTION_FIELDS

DISPUTE_FIELDS: dict[str, Schema] = {
    "id": INTEGER,
    "refund_amount": MONEY,
    "currency": CURRENCY,
    "status": one_of("awaiting-merchant-feedback", "awaiting-bank-feedback", "pending", "resolved"),
    "resolution": one_of("merchant-accepted", "auto-accepted", "declined", None),
    "domain": DOMAIN,
    "transaction_reference": NULL,
    "category": TEXT,
    "bin": TEXT,
    "last4": TEXT,
    "dueAt": TIME,
    "resolvedAt": nullable(TIME),
    "evidence": nullable(INTEGER),
    "attachments": nullable(TEXT),
    "note": NULL,
    "createdAt": TIME,
    "updatedAt": TIME,
}
DISPUTED_FIELDS = TRANSACTION_FIELDS | {
    "authorization": object_with(receiver_bank_account_number=ANY, receiver_bank=ANY),
    "customer": object_with(international_format_phone=ANY),
    "receipt_number": nullable(INTEGER),
    "plan": OBJECT,
    "source": ANY,
    "fees_breakdown": ANY,
}
MESSAGE_FIELDS: dict[str, Schema] = {
    "history": list_of(object_with(status=TEXT, by=TEXT, createdAt=TIME)),
    "messages": list_of(object_with(sender=TEXT, body=TEXT, createdAt=TIME)),
}
DISPUTE_FETCHED = object_with(
    **DISPUTE_FIELDS | MESSAGE_FIELDS | {"transaction": object_with(**DISPUTED_FIELDS), "customer": CUSTOMER}
)
DISPUTE_LISTED = object_with(
    **DISPUTE_FIELDS
    | MESSAGE_FIELDS
    | {
        "customer": CUSTOMER,
        "transaction": object_with(
            **{
                name: schema
                for name, schema in DISPUTED_FIELDS.items()
                if name not in ("receipt_number", "requested_amount")
            }
            | {"customer": NULL, "authorization": OBJECT}
        ),
    }
)
DISPUTE_OF_TRANSACTION = object_with(
    **DISPUTE_FIELDS
    | {
        "history": list_of(
            object_with(id=INTEGER, dispute=INTEGER, status=TEXT, by=TEXT, createdAt=TIME, updatedAt=TIME)
        ),
        "messages": list_of(
            object_with(
                sender=TEXT, body=TEXT, dispute=INTEGER, id=INTEGER, is_deleted=INTEGER, createdAt=TIME, updatedAt=TIME
            )
        ),
        "merchant_transaction_reference": nullable(TEXT),
        "integration": INTEGER,
        "transaction": object_with(**DISPUTED_FIELDS),
        "created_by": nullable(INTEGER),
    }
)
DISPUTE_RESOLVED = object_with(
    **DISPUTE_FIELDS
    | {
        "merchant_transaction_reference": nullable(TEXT),
        "integration": INTEGER,
        "transaction": INTEGER,
        "created_by": nullable(INTEGER),
        "message": object_with(dispute=INTEGER, sender=TEXT, body=TEXT, id=INTEGER, createdAt=TIME, updatedAt=TIME),
    }
)
EVIDENCE = object_with(
    customer_email=TEXT,
    customer_name=TEXT,
    customer_phone=TEXT,
    service_details=TEXT,
    delivery_address=nullable(TEXT),
    delivery_date=nullable(TEXT),
    dispute=INTEGER,
    id=INTEGER,
    createdAt=TIME,
    updatedAt=TIME,
)
UPLOAD = object_with(signedUrl={"type": "string", "pattern": "^https?://"}, fileName=TEXT)


def dispute_webhook(kind: str) -> Schema:
    disputed = {
        name: schema
        for name, schema in DISPUTED_FIELDS.items()
        if name not in ("createdAt", "connect", "source", "fees_breakdown", "receipt_number")
    }
    data = {name: schema for name, schema in DISPUTE_FIELDS.items() if name not in ("createdAt", "updatedAt")} | {
        "transaction": object_with(**disputed | {"authorization": OBJECT}),
        "customer": CUSTOMER,
        "created_at": TIME,
        "updated_at": TIME,
    }
    return object_with(event=one_of(f"charge.dispute.{kind}"), data=object_with(**data | MESSAGE_FIELDS))
