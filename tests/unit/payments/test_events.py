"""The part of a refund that returns what the payer had paid too much."""

from uuid import uuid4

import pytest

from contracts.events import PaymentRefunded
from services.payments.events import refunded
from services.payments.models import Payment


@pytest.mark.parametrize(
    ("paid", "currency", "fees", "overpaid"),
    [
        (50_500, "NGN", None, 500),
        (50_500, "NGN", 250, 500),
        (50_500, "NGN", 500, 0),  # the payer bears the fees
        (50_000, "NGN", None, 0),
        (49_000, "NGN", None, 0),
        (50_500, "GHS", None, 0),
    ],
)
def test_refunded_states_what_was_paid_too_much(paid: int, currency: str, fees: int | None, overpaid: int) -> None:
    facts = {"reference": "r1", "order_id": uuid4(), "amount": 50_000, "currency": "NGN", "client_metadata": {}}
    event = refunded(Payment(**facts, paid_amount=paid, paid_currency=currency, fees=fees), 500)
    assert isinstance(event, PaymentRefunded)
    assert event.data.overpaid_amount == overpaid
