"""Schema of settlements, Paystack's payouts."""

from tests.integration.sandbox.conformance.schemas import (
    CURRENCY,
    DOMAIN,
    INTEGER,
    MONEY,
    NULL,
    TIME,
    nullable,
    object_with,
    one_of,
)

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
