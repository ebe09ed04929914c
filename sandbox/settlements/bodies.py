from typing import Any

from sandbox.merchant import INTEGRATION_ID
from sandbox.settlements.queries import Settlement
from sandbox.timestamps import iso_timestamp

DAY = 24 * 3_600_000
"""Milliseconds."""


def settlement_body(settlement: Settlement) -> dict[str, Any]:
    """Return a settlement as Paystack's list shows it."""
    created_at = iso_timestamp(settlement.created_at)
    net = settlement.processed - settlement.fees
    return {
        "id": settlement.id,
        "domain": settlement.domain,
        "status": "success",
        "currency": settlement.currency,
        "integration": INTEGRATION_ID,
        "total_amount": net,
        "effective_amount": net - settlement.deductions,
        "total_fees": settlement.fees,
        "total_processed": settlement.processed,
        "deductions": settlement.deductions or None,
        "settlement_date": iso_timestamp(settlement.created_at // DAY * DAY),
        "settled_by": None,
        "createdAt": created_at,
        "updatedAt": created_at,
    }
