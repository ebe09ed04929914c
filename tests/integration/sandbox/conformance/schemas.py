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
PAGE_META = object_with(total=INTEGER, skipped=INTEGER, perPage=INTEGER, page=INTEGER, pageCount=INTEGER)
PAGE_META_WITH_VOLUME = object_with(**PAGE_META["properties"] | {"total_volume": MONEY})
CURSOR_META = object_with(next=nullable(TEXT), previous=nullable(TEXT), perPage=INTEGER)


def success_response(message: str, data: Schema | None = None, meta: Schema | None = None) -> Schema:
    """Return the schema of a successful response."""
    parts: dict[str, Schema] = {"status": one_of(True), "message": one_of(message)}
    if data is not None:
        parts["data"] = data
    if meta is not None:
        parts["meta"] = meta
    return object_with(**parts)


ERROR = object_with(status=one_of(False), message=TEXT, type=one_of("validation_error", "api_error", "processor_error"))
