"""Until when a payment can be paid. Pure functions: no settings, no I/O."""

from collections.abc import Collection
from datetime import datetime, timedelta

from services.payments.paystack.channels import CHANNELS, EVERYWHERE, Channel

PESALINK_SECONDS = 25 * 60
"""How long a Pesalink account in Kenya lives (Paystack's documentation)."""


def payable_until(opened_at: datetime, session_timeout: int | None, transfer_seconds: int) -> datetime | None:
    """Return the end of a checkout that was opened by `opened_at`, or None if it has no end or the end is not known.

    `session_timeout`: Paystack's payment_session_timeout in seconds; 0: none; None: not known. `transfer_seconds`: how long an account for
    a bank transfer lives that the payer gets at the end of the session.
    """
    if not session_timeout:
        return None
    return opened_at + timedelta(seconds=session_timeout + transfer_seconds)


def transfer_seconds(currency: str, channels: Collection[Channel] | None, account_seconds: int) -> int:
    """Return how long an account for a bank transfer can live that the payer gets on the page; 0 if the page offers no transfer.

    `channels`: those that the page offers; None: all of the currency. `account_seconds`: the longest life of an account in Nigeria.
    """
    offered = CHANNELS.get(currency, EVERYWHERE) if channels is None else channels
    if Channel.BANK_TRANSFER not in offered:
        return 0
    return min(account_seconds, PESALINK_SECONDS) if currency == "KES" else account_seconds
