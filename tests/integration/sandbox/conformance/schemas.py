"""Schemas of Paystack's responses and webhooks, written from its OpenAPI specification and, where they differ, from its samples.

The specification has `customer.phone: string` where samples have null, and so on: a value that either allows is allowed here.
"""

from typing import Any

from tests.integration.sandbox.conformance.json_schema import Schema


def object_with(**properties: Schema) -> Schema:
    """Return the schema of an object in which all of these properties are required."""
    return {"type": "object", "required": list(properties), "properties": properties}


def nullable(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


def list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def one_of(*values: Any) -> Schema:
    return {"enum": list(values)}


TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
ANY: Schema = {}
NULL: Schema = {"type": "null"}
OBJECT: Schema = {"type": "object"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
MONEY = INTEGER
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}
DOMAIN = one_of("test", "live")
METADATA: Schema = {"type": ["object", "string", "null", "integer"]}
LOG = object_with(
    start_time=INTEGER,
    time_spent=INTEGER,
    attempts=INTEGER,
    errors=INTEGER,
    success=BOOLEAN,
    mobile=BOOLEAN,
    input=list_of(ANY),
    history=list_of(object_with(type=TEXT, message=TEXT, time=INTEGER)),
)
CUSTOMER = object_with(
    id=INTEGER,
    first_name=nullable(TEXT),
    last_name=nullable(TEXT),
    email=TEXT,
    customer_code={"type": "string", "pattern": "^CUS_"},
    phone=nullable(TEXT),
    metadata=METADATA,
    risk_action=TEXT,
)
CARD = object_with(
    authorization_code={"type": "string", "pattern": "^AUTH_"},
    bin=TEXT,
    last4=TEXT,
    exp_month=TEXT,
    exp_year=TEXT,
    channel=TEXT,
    card_type=TEXT,
    bank=TEXT,
    country_code=TEXT,
    brand=TEXT,
    reusable=BOOLEAN,
    signature={"type": "string", "pattern": "^SIG_"},
    account_name=nullable(TEXT),
)
SOURCE = object_with(type=TEXT, source=TEXT, identifier=nullable(TEXT), entry_point=TEXT)
_transaction: dict[str, Schema] = {
    "id": INTEGER,
    "domain": DOMAIN,
    "status": TEXT,
    "reference": TEXT,
    "amount": MONEY,
    "message": nullable(TEXT),
    "gateway_response": TEXT,
    "paid_at": nullable(TIME),
    "created_at": TIME,
    "channel": TEXT,
    "currency": CURRENCY,
    "ip_address": nullable(TEXT),
    "metadata": METADATA,
    "log": nullable(LOG),
    "fees": nullable(MONEY),
    "fees_split": NULL,
    "authorization": OBJECT,
    "customer": CUSTOMER,
    "plan": nullable(OBJECT),
    "split": OBJECT,
    "order_id": NULL,
    "paidAt": nullable(TIME),
    "createdAt": TIME,
    "requested_amount": MONEY,
    "pos_transaction_data": NULL,
    "connect": NULL,
    "subaccount": OBJECT,
}
LISTED = object_with(**_transaction | {"source": SOURCE, "plan": OBJECT})
FETCHED = object_with(
    **_transaction
    | {
        "receipt_number": nullable(TEXT),
        "helpdesk_link": nullable(TEXT),
        "source": SOURCE,
        "plan": OBJECT,
        "fees_breakdown": NULL,
        "authorization": CARD,
    }
)
VERIFIED = object_with(
    **_transaction
    | {
        "receipt_number": nullable(TEXT),
        "source": NULL,
        "plan": nullable(TEXT),
        "fees_breakdown": NULL,
        "transaction_date": TIME,
        "plan_object": OBJECT,
    }
)
CHARGED = object_with(
    **{
        name: _transaction[name]
        for name in (
            *("id", "amount", "currency", "status", "reference", "domain", "metadata", "gateway_response", "message"),
            *("channel", "ip_address", "log", "fees", "customer"),
        )
    }
    | {"transaction_date": TIME, "authorization": CARD, "plan": NULL}
)
PAGE_META = object_with(total=INTEGER, skipped=INTEGER, perPage=INTEGER, page=INTEGER, pageCount=INTEGER)
PAGE_META_WITH_VOLUME = object_with(**PAGE_META["properties"] | {"total_volume": MONEY})
CURSOR_META = object_with(next=nullable(TEXT), previous=nullable(TEXT), perPage=INTEGER)
BY_CURRENCY = list_of(object_with(currency=CURRENCY, amount=MONEY))
TOTALS = object_with(
    total_transactions=INTEGER,
    total_volume=MONEY,
    total_volume_by_currency=BY_CURRENCY,
    pending_transfers=MONEY,
    pending_transfers_by_currency=BY_CURRENCY,
)
REFUND_STATUS = one_of("pending", "processing", "processed", "failed", "needs-attention")
_refund: dict[str, Schema] = {
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
_refund_of: dict[str, Schema] = {
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
    **_refund | _refund_of | {"createdAt": TIME, "updatedAt": TIME, "deducted_amount": MONEY, "fully_deducted": BOOLEAN}
)
REFUND_LISTED = object_with(
    **_refund
    | _refund_of
    | {
        "created_at": TIME,
        "updated_at": TIME,
        "deducted_amount": nullable(MONEY),
        "fully_deducted": one_of(1, None),
    }
) | {"not": {"required": ["createdAt"]}}
REFUND_RETRIED = object_with(
    **_refund
    | {
        "expected_at": TIME,
        "channel": TEXT,
        "deducted_amount": MONEY,
        "fully_deducted": BOOLEAN,
        "customer": ANY,
        "reversed_at": nullable(TIME),
    }
)
_dispute: dict[str, Schema] = {
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
_disputed = _transaction | {
    "authorization": object_with(receiver_bank_account_number=ANY, receiver_bank=ANY),
    "customer": object_with(international_format_phone=ANY),
    "receipt_number": nullable(INTEGER),
    "plan": OBJECT,
    "source": ANY,
    "fees_breakdown": ANY,
}
_messages: dict[str, Schema] = {
    "history": list_of(object_with(status=TEXT, by=TEXT, createdAt=TIME)),
    "messages": list_of(object_with(sender=TEXT, body=TEXT, createdAt=TIME)),
}
DISPUTE_FETCHED = object_with(**_dispute | _messages | {"transaction": object_with(**_disputed), "customer": CUSTOMER})
DISPUTE_LISTED = object_with(
    **_dispute
    | _messages
    | {
        "customer": CUSTOMER,
        "transaction": object_with(
            **{name: schema for name, schema in _disputed.items() if name not in ("receipt_number", "requested_amount")}
            | {"customer": NULL, "authorization": OBJECT}
        ),
    }
)
DISPUTE_OF_TRANSACTION = object_with(
    **_dispute
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
        "transaction": object_with(**_disputed),
        "created_by": nullable(INTEGER),
    }
)
DISPUTE_RESOLVED = object_with(
    **_dispute
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
SETTLEMENT = object_with(
    id=INTEGER,
    domain=DOMAIN,
    status=one_of("success", "pending"),
    currency=CURRENCY,
    integration=INTEGER,
    total_amount=MONEY,
    effective_amount=MONEY,
    total_fees=MONEY,
    total_processed=MONEY,
    deductions=nullable(MONEY),
    settlement_date=TIME,
    settled_by=NULL,
    createdAt=TIME,
    updatedAt=TIME,
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


def success_response(message: str, data: Schema | None = None, meta: Schema | None = None) -> Schema:
    """Return the schema of a successful response."""
    parts: dict[str, Schema] = {"status": one_of(True), "message": one_of(message)}
    if data is not None:
        parts["data"] = data
    if meta is not None:
        parts["meta"] = meta
    return object_with(**parts)


ERROR = object_with(status=one_of(False), message=TEXT, type=one_of("validation_error", "api_error", "processor_error"))
# Webhooks, from the samples in the documentation.
CHARGE_SUCCESS_WEBHOOK = object_with(
    event=one_of("charge.success"),
    data=object_with(
        **{name: schema for name, schema in _transaction.items() if name not in ("createdAt", "connect", "log")}
        | {"log": NULL, "plan": OBJECT, "source": SOURCE, "fees_breakdown": NULL, "authorization": CARD}
    ),
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


def dispute_webhook(kind: str) -> Schema:
    disputed = {
        name: schema
        for name, schema in _disputed.items()
        if name not in ("createdAt", "connect", "source", "fees_breakdown", "receipt_number")
    }
    data = {name: schema for name, schema in _dispute.items() if name not in ("createdAt", "updatedAt")} | {
        "transaction": object_with(**disputed | {"authorization": OBJECT}),
        "customer": CUSTOMER,
        "created_at": TIME,
        "updated_at": TIME,
    }
    return object_with(event=one_of(f"charge.dispute.{kind}"), data=object_with(**data | _messages))
