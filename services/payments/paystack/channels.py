"""The channels through which payers can pay, and in which currencies Paystack offers each (Paystack's documentation, "Payment channels").

Paystack offers a channel of this list only if it is enabled for the account.
"""

from collections.abc import Collection
from enum import StrEnum


class Channel(StrEnum):
    """A way to pay, as Paystack names it."""

    CARD = "card"
    BANK = "bank"
    USSD = "ussd"
    QR = "qr"
    MOBILE_MONEY = "mobile_money"
    BANK_TRANSFER = "bank_transfer"
    EFT = "eft"
    APPLE_PAY = "apple_pay"


EVERYWHERE = frozenset({Channel.CARD, Channel.APPLE_PAY})
CHANNELS = {
    "NGN": EVERYWHERE | {Channel.BANK, Channel.USSD, Channel.BANK_TRANSFER},
    "GHS": EVERYWHERE | {Channel.MOBILE_MONEY},
    "ZAR": EVERYWHERE | {Channel.QR, Channel.EFT},
    "KES": EVERYWHERE | {Channel.MOBILE_MONEY, Channel.BANK_TRANSFER},
    "USD": EVERYWHERE,
    "XOF": EVERYWHERE | {Channel.MOBILE_MONEY},
}
"""The channels of each currency: those that Paystack offers in the countries that use the currency."""


def channel_rule_broken_by(channels: Collection[Channel], currency: str) -> str | None:
    """Return the rule that a list of channels breaks, as a sentence without a full stop, or None."""
    offered = CHANNELS.get(currency, EVERYWHERE)
    if all(channel in offered for channel in channels):
        return None
    return f"{currency} can be paid with {', '.join(channel for channel in Channel if channel in offered)}"
