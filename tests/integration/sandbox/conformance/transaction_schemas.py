"""Schemas of transactions, and of the webhook charge.success."""

from tests.integration.sandbox.conformance.json_schema import Schema
from tests.integration.sandbox.conformance.schemas import (
    CARD,
    CURRENCY,
    CUSTOMER,
    DOMAIN,
    INTEGER,
    LOG,
    METADATA,
    MONEY,
    NULL,
    OBJECT,
    SOURCE,
    TEXT,
    TIME,
    list_of,
    nullable,
    object_with,
    one_of,
)

TRANSACTION_FIELDS: dict[str, Schema] = {
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
LISTED = object_with(**TRANSACTION_FIELDS | {"source": SOURCE, "plan": OBJECT})
FETCHED = object_with(
    **TRANSACTION_FIELDS
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
    **TRANSACTION_FIELDS
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
        name: TRANSACTION_FIELDS[name]
        for name in (
            *("id", "amount", "currency", "status", "reference", "domain", "metadata", "gateway_response", "message"),
            *("channel", "ip_address", "log", "fees", "customer"),
        )
    }
    | {"transaction_date": TIME, "authorization": CARD, "plan": NULL}
)
BY_CURRENCY = list_of(object_with(currency=CURRENCY, amount=MONEY))
TOTALS = object_with(
    total_transactions=INTEGER,
    total_volume=MONEY,
    total_volume_by_currency=BY_CURRENCY,
    pending_transfers=MONEY,
    pending_transfers_by_currency=BY_CURRENCY,
)


# Webhooks, from the samples in the documentation.
CHARGE_SUCCESS_WEBHOOK = object_with(
    event=one_of("charge.success"),
    data=object_with(
        **{name: schema for name, schema in TRANSACTION_FIELDS.items() if name not in ("createdAt", "connect", "log")}
        | {"log": NULL, "plan": OBJECT, "source": SOURCE, "fees_breakdown": NULL, "authorization": CARD}
    ),
)
