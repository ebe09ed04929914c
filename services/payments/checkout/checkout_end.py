"""Until when the payer can pay. Pure functions: no settings, no I/O."""

from collections.abc import Collection
from datetime import datetime, timedelta

from services.payments.paystack.channels import CHANNELS, EVERYWHERE, Channel

PESALINK_SECONDS = 25 * 60
"""How long a Pesalink account number in Kenya can be used (Paystack's documentation)."""


def payable_until(opened_at: datetime, checkout_timeout: int | None, transfer_seconds: int) -> datetime | None:
    """Return the time until which the payer can pay, or None if there is no such limit or it is not known.

    `opened_at`: the latest time at which the checkout can have been opened. `checkout_timeout`: Paystack's payment_session_timeout in
    seconds; 0 means no limit, None that it is not known. `transfer_seconds`: how long the account number for a
    bank transfer, which the payer may get at the last moment, can be used.
    """
    if not checkout_timeout:
        return None
    return opened_at + timedelta(seconds=checkout_timeout + transfer_seconds)


def transfer_seconds(currency: str, channels: Collection[Channel] | None, account_seconds: int) -> int:
    """Return for how many seconds, at most, an account number for a bank transfer on the page can be used; 0 if the page offers none.

    `channels`: those that the page offers; None means all channels of the currency. `account_seconds`: the longest time in
    Nigeria; in Kenya it is at most PESALINK_SECONDS.
    """
    offered = CHANNELS.get(currency, EVERYWHERE) if channels is None else channels
    if Channel.BANK_TRANSFER not in offered:
        return 0
    return min(account_seconds, PESALINK_SECONDS) if currency == "KES" else account_seconds
