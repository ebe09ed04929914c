"""What an unpaid transaction waits for."""

import pytest

from services.payments.paystack.progress import waiting_for


@pytest.mark.parametrize(
    ("status", "channel", "expected"),
    [
        ("pending", "bank_transfer", "bank_transfer"),
        ("ongoing", "bank_transfer", "bank_transfer"),
        ("queued", "ussd", "confirmation"),
        ("processing", "direct_debit", "confirmation"),
        ("pending", None, "confirmation"),
        ("abandoned", "bank_transfer", "payer"),
        ("abandoned", None, "payer"),
        ("failed", "card", None),
        ("invented", "bank_transfer", None),
        (None, None, None),
    ],
)
def test_waiting_for_when_paystack_names_status_and_channel_says_who_has_to_act(
    status: str | None, channel: str | None, expected: str | None
) -> None:
    assert waiting_for(status, channel) == expected
