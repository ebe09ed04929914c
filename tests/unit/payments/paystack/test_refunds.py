"""Which refusals of a refund are permanent."""

import pytest

from services.payments.paystack.errors import Refused
from services.payments.paystack.refunds import is_permanent


@pytest.mark.parametrize(
    ("status", "code", "message", "permanent"),
    [
        (400, "invalid_params", "Total refund amount cannot exceed original transaction amount", True),
        (400, "", "Total refund amount cannot exceed original transaction amount.", True),
        (400, "transaction_not_found", "Transaction reference not found.", True),
        (404, "", "Transaction not found", True),
        (400, "insufficient_balance", "Your balance is not enough", False),
        (400, "", "", False),
        (403, "", "Refunds are paused", False),
    ],
)
def test_refusal_is_permanent_only_by_a_known_fact(status: int, code: str, message: str, permanent: bool) -> None:
    assert is_permanent(Refused(status, code, message)) is permanent
