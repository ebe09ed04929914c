"""Until when a payment can be completed."""

from datetime import UTC, datetime, timedelta

import pytest

from services.payments.checkout.checkout_end import payable_until, transfer_seconds
from services.payments.paystack.channels import Channel

NOW, EIGHT_HOURS = datetime(2026, 11, 26, tzinfo=UTC), 8 * 3600


@pytest.mark.parametrize(
    ("currency", "channels", "seconds"),
    [
        ("NGN", None, EIGHT_HOURS),
        ("NGN", [Channel.CARD], 0),
        ("NGN", [Channel.CARD, Channel.BANK_TRANSFER], EIGHT_HOURS),
        ("KES", None, 1500),
        ("GHS", None, 0),
        ("EGP", None, 0),
    ],
)
def test_transfer_account_lives_eight_hours_in_nigeria_and_25_minutes_in_kenya(
    currency: str, channels: list[Channel] | None, seconds: int
) -> None:
    assert transfer_seconds(currency, channels, EIGHT_HOURS) == seconds
    assert transfer_seconds(currency, channels, 0) == 0


@pytest.mark.parametrize(
    ("checkout_timeout", "transfer", "end"),
    [(None, 60, None), (0, 60, None), (600, 0, timedelta(seconds=600)), (600, 60, timedelta(seconds=660))],
)
def test_end_of_a_checkout_includes_a_transfer_account_that_was_opened_at_the_end_of_the_session(
    checkout_timeout: int | None, transfer: int, end: timedelta | None
) -> None:
    assert payable_until(NOW, checkout_timeout, transfer) == (None if end is None else NOW + end)
