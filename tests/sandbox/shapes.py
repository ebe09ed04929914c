"""The shapes of Paystack's answers, an extract of our own from its OpenAPI; where its samples know better, of those.

The specification says `customer.phone: string` where samples have null, and so on: what both allow is allowed here.
"""

from typing import Any

from tests.sandbox.json_schema import Schema


def whole(**properties: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def maybe(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def one_of(*values: Any) -> Schema:
    return {"enum": list(values)}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
NOTHING: Schema = {"type": "null"}
OBJECT: Schema = {"type": "object"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
MONEY = COUNT
CURRENCY: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}
DOMAIN = one_of("test", "live")
METADATA: Schema = {"type": ["object", "string", "null", "integer"]}

LOG = whole(
    start_time=COUNT,
    time_spent=COUNT,
    attempts=COUNT,
    errors=COUNT,
    success=FLAG,
    mobile=FLAG,
    input=many(ANY),
    history=many(whole(type=TEXT, message=TEXT, time=COUNT)),
)
CUSTOMER = whole(
    id=COUNT,
    first_name=maybe(TEXT),
    last_name=maybe(TEXT),
    email=TEXT,
    customer_code={"type": "string", "pattern": "^CUS_"},
    phone=maybe(TEXT),
    metadata=METADATA,
    risk_action=TEXT,
)
CARD = whole(
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
    reusable=FLAG,
    signature={"type": "string", "pattern": "^SIG_"},
    account_name=maybe(TEXT),
)
SOURCE = whole(type=TEXT, source=TEXT, identifier=maybe(TEXT), entry_point=TEXT)
_transaction: dict[str, Schema] = {
    "id": COUNT,
    "domain": DOMAIN,
    "status": TEXT,
    "reference": TEXT,
    "amount": MONEY,
    "message": maybe(TEXT),
    "gateway_response": TEXT,
    "paid_at": maybe(TIME),
    "created_at": TIME,
    "channel": TEXT,
    "currency": CURRENCY,
    "ip_address": maybe(TEXT),
    "metadata": METADATA,
    "log": maybe(LOG),
    "fees": maybe(MONEY),
    "fees_split": NOTHING,
    "authorization": OBJECT,
    "customer": CUSTOMER,
    "plan": maybe(OBJECT),
    "split": OBJECT,
    "order_id": NOTHING,
    "paidAt": maybe(TIME),
    "createdAt": TIME,
    "requested_amount": MONEY,
    "pos_transaction_data": NOTHING,
    "connect": NOTHING,
    "subaccount": OBJECT,
}
LISTED = whole(**_transaction | {"source": SOURCE, "plan": OBJECT})
FETCHED = whole(
    **_transaction
    | {
        "receipt_number": maybe(TEXT),
        "helpdesk_link": maybe(TEXT),
        "source": SOURCE,
        "plan": OBJECT,
        "fees_breakdown": NOTHING,
        "authorization": CARD,
    }
)
VERIFIED = whole(
    **_transaction
    | {
        "receipt_number": maybe(TEXT),
        "source": NOTHING,
        "plan": maybe(TEXT),
        "fees_breakdown": NOTHING,
        "transaction_date": TIME,
        "plan_object": OBJECT,
    }
)
CHARGED = whole(
    **{
        name: _transaction[name]
        for name in (
            *("id", "amount", "currency", "status", "reference", "domain", "metadata", "gateway_response", "message"),
            *("channel", "ip_address", "log", "fees", "customer"),
        )
    }
    | {"transaction_date": TIME, "authorization": CARD, "plan": NOTHING}
)
PAGE = whole(total=COUNT, skipped=COUNT, perPage=COUNT, page=COUNT, pageCount=COUNT)
PAGE_WITH_VOLUME = whole(**PAGE["properties"] | {"total_volume": MONEY})
LEAF = whole(next=maybe(TEXT), previous=maybe(TEXT), perPage=COUNT)
BY_CURRENCY = many(whole(currency=CURRENCY, amount=MONEY))
TOTALS = whole(
    total_transactions=COUNT,
    total_volume=MONEY,
    total_volume_by_currency=BY_CURRENCY,
    pending_transfers=MONEY,
    pending_transfers_by_currency=BY_CURRENCY,
)

REFUND_STATUS = one_of("pending", "processing", "processed", "failed", "needs-attention")
_refund: dict[str, Schema] = {
    "integration": COUNT,
    "transaction": COUNT,
    "dispute": maybe(COUNT),
    "settlement": maybe(COUNT),
    "id": COUNT,
    "domain": DOMAIN,
    "currency": CURRENCY,
    "amount": MONEY,
    "status": REFUND_STATUS,
    "refunded_at": maybe(TIME),
    "refunded_by": TEXT,
    "customer_note": TEXT,
    "merchant_note": TEXT,
    "bank_reference": NOTHING,
    "reason": TEXT,
    "initiated_by": TEXT,
    "session_id": NOTHING,
}
_refund_of: dict[str, Schema] = {
    "transaction_reference": TEXT,
    "customer": CUSTOMER,
    "refund_type": one_of("full", "partial"),
    "transaction_amount": MONEY,
    "refund_channel": TEXT,
    "collect_account_number": FLAG,
}
REFUND_MADE = whole(
    transaction=whole(
        id=COUNT,
        domain=DOMAIN,
        reference=TEXT,
        amount=MONEY,
        paid_at=TIME,
        channel=TEXT,
        currency=CURRENCY,
        authorization=whole(exp_month=ANY, exp_year=ANY, account_name=ANY),
        customer=whole(international_format_phone=maybe(TEXT)),
        plan=OBJECT,
        subaccount=whole(currency=ANY),
        split=OBJECT,
        order_id=ANY,
        paidAt=TIME,
        pos_transaction_data=ANY,
        source=ANY,
        fees_breakdown=ANY,
    ),
    integration=COUNT,
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
    fully_deducted=FLAG,
    id=COUNT,
    createdAt=TIME,
    updatedAt=TIME,
)
# The specification has createdAt and a number in both; the samples differ as they do here.
REFUND_FETCHED = whole(
    **_refund | _refund_of | {"createdAt": TIME, "updatedAt": TIME, "deducted_amount": MONEY, "fully_deducted": FLAG}
)
REFUND_LISTED = whole(
    **_refund
    | _refund_of
    | {
        "created_at": TIME,
        "updated_at": TIME,
        "deducted_amount": maybe(MONEY),
        "fully_deducted": one_of(1, None),
    }
) | {"not": {"required": ["createdAt"]}}
REFUND_RETRIED = whole(
    **_refund
    | {
        "expected_at": TIME,
        "channel": TEXT,
        "deducted_amount": MONEY,
        "fully_deducted": FLAG,
        "customer": ANY,
        "reversed_at": maybe(TIME),
    }
)

_dispute: dict[str, Schema] = {
    "id": COUNT,
    "refund_amount": MONEY,
    "currency": CURRENCY,
    "status": one_of("awaiting-merchant-feedback", "awaiting-bank-feedback", "pending", "resolved"),
    "resolution": one_of("merchant-accepted", "auto-accepted", "declined", None),
    "domain": DOMAIN,
    "transaction_reference": NOTHING,
    "category": TEXT,
    "bin": TEXT,
    "last4": TEXT,
    "dueAt": TIME,
    "resolvedAt": maybe(TIME),
    "evidence": maybe(COUNT),
    "attachments": maybe(TEXT),
    "note": NOTHING,
    "createdAt": TIME,
    "updatedAt": TIME,
}
_disputed = _transaction | {
    "authorization": whole(receiver_bank_account_number=ANY, receiver_bank=ANY),
    "customer": whole(international_format_phone=ANY),
    "receipt_number": maybe(COUNT),
    "plan": OBJECT,
    "source": ANY,
    "fees_breakdown": ANY,
}
_talk: dict[str, Schema] = {
    "history": many(whole(status=TEXT, by=TEXT, createdAt=TIME)),
    "messages": many(whole(sender=TEXT, body=TEXT, createdAt=TIME)),
}
DISPUTE_FETCHED = whole(**_dispute | _talk | {"transaction": whole(**_disputed), "customer": CUSTOMER})
DISPUTE_LISTED = whole(
    **_dispute
    | _talk
    | {
        "customer": CUSTOMER,
        "transaction": whole(
            **{name: schema for name, schema in _disputed.items() if name not in ("receipt_number", "requested_amount")}
            | {"customer": NOTHING, "authorization": OBJECT}
        ),
    }
)
DISPUTE_OF_TRANSACTION = whole(
    **_dispute
    | {
        "history": many(whole(id=COUNT, dispute=COUNT, status=TEXT, by=TEXT, createdAt=TIME, updatedAt=TIME)),
        "messages": many(
            whole(sender=TEXT, body=TEXT, dispute=COUNT, id=COUNT, is_deleted=COUNT, createdAt=TIME, updatedAt=TIME)
        ),
        "merchant_transaction_reference": maybe(TEXT),
        "integration": COUNT,
        "transaction": whole(**_disputed),
        "created_by": maybe(COUNT),
    }
)
DISPUTE_RESOLVED = whole(
    **_dispute
    | {
        "merchant_transaction_reference": maybe(TEXT),
        "integration": COUNT,
        "transaction": COUNT,
        "created_by": maybe(COUNT),
        "message": whole(dispute=COUNT, sender=TEXT, body=TEXT, id=COUNT, createdAt=TIME, updatedAt=TIME),
    }
)
EVIDENCE = whole(
    customer_email=TEXT,
    customer_name=TEXT,
    customer_phone=TEXT,
    service_details=TEXT,
    delivery_address=maybe(TEXT),
    delivery_date=maybe(TEXT),
    dispute=COUNT,
    id=COUNT,
    createdAt=TIME,
    updatedAt=TIME,
)
UPLOAD = whole(signedUrl={"type": "string", "pattern": "^https?://"}, fileName=TEXT)
SETTLEMENT = whole(
    id=COUNT,
    domain=DOMAIN,
    status=one_of("success", "pending"),
    currency=CURRENCY,
    integration=COUNT,
    total_amount=MONEY,
    effective_amount=MONEY,
    total_fees=MONEY,
    total_processed=MONEY,
    deductions=maybe(MONEY),
    settlement_date=TIME,
    settled_by=NOTHING,
    createdAt=TIME,
    updatedAt=TIME,
)
EVENT = whole(
    _id={"type": "string", "pattern": "^[0-9a-f]{24}$"},
    domain=DOMAIN,
    category=TEXT,
    event_name=TEXT,
    category_row_id=maybe(COUNT),
    status=one_of("Delivered", "Pending", "Failed"),
    status_detail=TEXT,
    response_code=maybe(COUNT),
    trial_count=COUNT,
    created_at=TIME,
    updated_at=TIME,
)
EVENT_FETCHED = whole(
    **EVENT["properties"]
    | {
        "event_payload": whole(event=TEXT, data={"type": ["object", "array"]}),
        "webhook_url": TEXT,
        "merchant_response_body": maybe(TEXT),
        "trials": many(OBJECT),
    }
)


def answer(message: str, data: Schema | None = None, meta: Schema | None = None) -> Schema:
    """The envelope of a call that worked."""
    parts: dict[str, Schema] = {"status": one_of(True), "message": one_of(message)}
    if data is not None:
        parts["data"] = data
    if meta is not None:
        parts["meta"] = meta
    return whole(**parts)


REFUSED = whole(status=one_of(False), message=TEXT, type=one_of("validation_error", "api_error", "processor_error"))

# The webhooks, from the samples of the documentation.
PAID_NOTICE = whole(
    event=one_of("charge.success"),
    data=whole(
        **{name: schema for name, schema in _transaction.items() if name not in ("createdAt", "connect", "log")}
        | {"log": NOTHING, "plan": OBJECT, "source": SOURCE, "fees_breakdown": NOTHING, "authorization": CARD}
    ),
)
NAMED = whole(first_name=maybe(TEXT), last_name=maybe(TEXT), email=TEXT)


def refund_notice(status: str) -> Schema:
    told = status in ("failed", "needs-attention")
    data: dict[str, Schema] = {
        "status": one_of(status),
        "transaction_reference": TEXT,
        "refund_reference": NOTHING if status in ("pending", "processing") else TEXT,
        "amount": MONEY if told else {"type": "string", "pattern": "^[0-9]+$"},
        "currency": CURRENCY,
        "customer": NAMED,
        "integration": COUNT,
        "domain": DOMAIN,
    }
    if status == "needs-attention":
        data |= {"id": TEXT, "customer_note": TEXT, "merchant_note": TEXT}
        return whole(event=one_of(f"refund.{status}"), data=whole(**data))
    without_id = {"not": {"required": ["id"]}}
    return whole(event=one_of(f"refund.{status}"), data=whole(**data | {"processor": TEXT}) | without_id)


def dispute_notice(kind: str) -> Schema:
    inside = {
        name: schema
        for name, schema in _disputed.items()
        if name not in ("createdAt", "connect", "source", "fees_breakdown", "receipt_number")
    }
    data = {name: schema for name, schema in _dispute.items() if name not in ("createdAt", "updatedAt")} | {
        "transaction": whole(**inside | {"authorization": OBJECT}),
        "customer": CUSTOMER,
        "created_at": TIME,
        "updated_at": TIME,
    }
    return whole(event=one_of(f"charge.dispute.{kind}"), data=whole(**data | _talk))
