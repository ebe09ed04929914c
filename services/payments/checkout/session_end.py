"""Until when a payment can be completed. Pure functions: no settings, no I/O."""

from collections.abc import Collection
from datetime import datetime, timedelta

from services.payments.paystack.channels import CHANNELS, EVERYWHERE, Channel

PESALINK_SECONDS = 25 * 60
"""How long a Pesalink account in Kenya lives (Paystack's documentation)."""


def payable_until(opened_at: datetime, checkout_timeout: int | None, transfer_seconds: int) -> datetime | None:
    """Return the time until which a payment can be completed, or None if there is no such limit or it is not known.

    `opened_at`: the latest time at which the checkout can have been opened. `checkout_timeout`: Paystack's payment_session_timeout in
    seconds; 0 means no limit, None that it is not known. `transfer_seconds`: the life of an account for a bank transfer, which the payer
    may get at the last moment.
    """
    if not checkout_timeout:
        return None
    return opened_at + timedelta(seconds=checkout_timeout + transfer_seconds)


def transfer_seconds(currency: str, channels: Collection[Channel] | None, account_seconds: int) -> int:
    """Return the longest life, in seconds, of an account for a bank transfer that the page shows; 0 if the page offers no transfer.

    `channels`: those that the page offers; None means all channels of the currency. `account_seconds`: the longest life of an
    account in Nigeria; in Kenya it is at most PESALINK_SECONDS.
    """
    offered = CHANNELS.get(currency, EVERYWHERE) if channels is None else channels
    if Channel.BANK_TRANSFER not in offered:
        return 0
    return min(account_seconds, PESALINK_SECONDS) if currency == "KES" else account_seconds
