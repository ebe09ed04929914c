"""Schemas of refunds and their webhooks."""

from tests.integration.sandbox.conformance.json_schema import Schema
from tests.integration.sandbox.conformance.schemas import (
    ANY,
    BOOLEAN,
    CURRENCY,
    CUSTOMER,
    DOMAIN,
    INTEGER,
    MONEY,
    NULL,
    OBJECT,
    TEXT,
    TIME,
    nullable,
    object_with,
    one_of,
)

REFUND_STATUS = one_of("pending", "processing", "processed", "failed", "needs-attention")
REFUND_FIELDS: dict[str, Schema] = {
    "integration": INTEGER,
    "transaction": INTEGER,
    "dispute": nullable(INTEGER),
    "settlement": nullable(INTEGER),
    "id": INTEGER,
    "domain": DOMAIN,
    "currency": CURRENCY,
    "amount": MONEY,
    "status": REFUND_STATUS,
    "refunded_at": nullable(TIME),
    "refunded_by": TEXT,
    "customer_note": TEXT,
    "merchant_note": TEXT,
    "bank_reference": NULL,
    "reason": TEXT,
    "initiated_by": TEXT,
    "session_id": NULL,
}
REFUNDED_FIELDS: dict[str, Schema] = {
    "transaction_reference": TEXT,
    "customer": CUSTOMER,
    "refund_type": one_of("full", "partial"),
    "transaction_amount": MONEY,
    "refund_channel": TEXT,
    "collect_account_number": BOOLEAN,
}
REFUND_MADE = object_with(
    transaction=object_with(
        id=INTEGER,
        domain=DOMAIN,
        reference=TEXT,
        amount=MONEY,
        paid_at=TIME,
        channel=TEXT,
        currency=CURRENCY,
        authorization=object_with(exp_month=ANY, exp_year=ANY, account_name=ANY),
        customer=object_with(international_format_phone=nullable(TEXT)),
        plan=OBJECT,
        subaccount=object_with(currency=ANY),
        split=OBJECT,
        order_id=ANY,
        paidAt=TIME,
        pos_transaction_data=ANY,
        source=ANY,
        fees_breakdown=ANY,
    ),
    integration=INTEGER,
    deducted_amount=MONEY,
    channel=ANY,
    merchant_note=TEXT,
    customer_note=TEXT,
    status=REFUND_STATUS,
    refunded_by=TEXT,
    expected_at=TIME,
    currency=CURRENCY,
    domain=DOMAIN,
    amount=MONEY,
    fully_deducted=BOOLEAN,
    id=INTEGER,
    createdAt=TIME,
    updatedAt=TIME,
)


# The specification has createdAt and a number for both; these follow the samples.
REFUND_FETCHED = object_with(
    **REFUND_FIELDS
    | REFUNDED_FIELDS
    | {"createdAt": TIME, "updatedAt": TIME, "deducted_amount": MONEY, "fully_deducted": BOOLEAN}
)
REFUND_LISTED = object_with(
    **REFUND_FIELDS
    | REFUNDED_FIELDS
    | {
        "created_at": TIME,
        "updated_at": TIME,
        "deducted_amount": nullable(MONEY),
        "fully_deducted": one_of(1, None),
    }
) | {"not": {"required": ["createdAt"]}}
REFUND_RETRIED = object_with(
    **REFUND_FIELDS
    | {
        "expected_at": TIME,
        "channel": TEXT,
        "deducted_amount": MONEY,
        "fully_deducted": BOOLEAN,
        "customer": ANY,
        "reversed_at": nullable(TIME),
    }
)
PAYER = object_with(first_name=nullable(TEXT), last_name=nullable(TEXT), email=TEXT)


def refund_webhook(status: str) -> Schema:
    amount_is_number = status in ("failed", "needs-attention")
    data: dict[str, Schema] = {
        "status": one_of(status),
        "transaction_reference": TEXT,
        "refund_reference": NULL if status in ("pending", "processing") else TEXT,
        "amount": MONEY if amount_is_number else {"type": "string", "pattern": "^[0-9]+$"},
        "currency": CURRENCY,
        "customer": PAYER,
        "integration": INTEGER,
        "domain": DOMAIN,
    }
    if status == "needs-attention":
        data |= {"id": TEXT, "customer_note": TEXT, "merchant_note": TEXT}
        return object_with(event=one_of(f"refund.{status}"), data=object_with(**data))
    without_id = {"not": {"required": ["id"]}}
    return object_with(event=one_of(f"refund.{status}"), data=object_with(**data | {"processor": TEXT}) | without_id)
