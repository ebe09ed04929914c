from typing import get_args

import pytest

from kit.fields import Currency
from services.payments.paystack.channels import CHANNELS, Channel, channel_rule_broken_by


def test_every_currency_has_channels_and_every_channel_a_currency() -> None:
    assert set(CHANNELS) == set(get_args(Currency))
    assert frozenset[Channel]().union(*CHANNELS.values()) == frozenset(Channel)


@pytest.mark.parametrize(
    ("currency", "channel", "available"),
    [
        ("NGN", Channel.BANK_TRANSFER, True),
        ("NGN", Channel.USSD, True),
        ("NGN", Channel.MOBILE_MONEY, False),
        ("GHS", Channel.MOBILE_MONEY, True),
        ("GHS", Channel.BANK_TRANSFER, False),
        ("KES", Channel.BANK_TRANSFER, True),
        ("ZAR", Channel.EFT, True),
        ("ZAR", Channel.QR, True),
        ("XOF", Channel.MOBILE_MONEY, True),
        ("USD", Channel.BANK_TRANSFER, False),
    ],
)
def test_channels_depend_on_the_currency(currency: str, channel: Channel, available: bool) -> None:
    assert (channel_rule_broken_by([Channel.CARD, channel], currency) is None) == available
