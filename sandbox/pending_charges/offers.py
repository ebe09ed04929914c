"""Channels, providers and lifetimes by currency, and what the page asks the payer to do."""

from dataclasses import dataclass

from sandbox.enums import Channel, PendingChargeStatus
from sandbox.money import format_money
from sandbox.pending_charges.errors import BelowTransferMinimum, ChannelNotAvailable, ProviderNotAvailable
from sandbox.pending_charges.models import ChannelChoice, PendingCharge
from sandbox.transactions.cards import derive_code
from sandbox.transactions.models import Transaction

MINUTE = 60_000
"""Milliseconds."""
CHANNELS: dict[str, tuple[Channel, ...]] = {
    "NGN": (Channel.CARD, Channel.BANK_TRANSFER, Channel.USSD),
    "GHS": (Channel.CARD, Channel.MOBILE_MONEY),
    "KES": (Channel.CARD, Channel.MOBILE_MONEY, Channel.BANK_TRANSFER),
    "XOF": (Channel.CARD, Channel.MOBILE_MONEY),
    "ZAR": (Channel.CARD, Channel.QR),
}
"""Emulated channels of the checkout page by currency; other currencies: card."""
TRANSFER_MINIMUM = {"NGN": 10_000}
"""Subunits."""
BANK = "Sandbox Bank"
TEST_OTP = "1234"


@dataclass(frozen=True, slots=True)
class Provider:
    name: str
    phone: str = ""
    """A test number."""
    asks_for_otp: bool = False


GHANA_PHONE, KENYA_PHONE, IVORIAN_PHONE = "0551234987", "+254710000000", "0700000000"
PROVIDERS: dict[tuple[Channel, str], dict[str, Provider]] = {
    (Channel.MOBILE_MONEY, "GHS"): {
        "mtn": Provider("MTN", GHANA_PHONE),
        "atl": Provider("AirtelTigo", GHANA_PHONE),
        "vod": Provider("Vodafone", GHANA_PHONE),
    },
    (Channel.MOBILE_MONEY, "KES"): {
        "mpesa": Provider("M-PESA", KENYA_PHONE),
        "mpesa_offline": Provider("M-PESA offline", KENYA_PHONE),
        "mptill": Provider("M-PESA till", KENYA_PHONE),
        "atl": Provider("Airtel", KENYA_PHONE),
    },
    (Channel.MOBILE_MONEY, "XOF"): {
        "orange": Provider("Orange", IVORIAN_PHONE, asks_for_otp=True),
        "mtn": Provider("MTN", IVORIAN_PHONE),
        "wave": Provider("Wave", IVORIAN_PHONE),
    },
    (Channel.USSD, "NGN"): {code: Provider(f"*{code}#") for code in ("737", "919", "822", "966")},
}
"""Mobile networks, and the USSD codes of banks. The first one is used if none is named. Channels without an entry have no provider."""


def channels_of(transaction: Transaction) -> list[Channel]:
    """Return the channels that the checkout page offers: those of the currency, unless initialize or a minimum excludes them."""
    requested = transaction.requested_channels
    offered = CHANNELS.get(transaction.currency, (Channel.CARD,))
    return [
        channel
        for channel in offered
        if (requested is None or channel in requested)
        and not _below_minimum(transaction, channel)
        and (channel != Channel.MOBILE_MONEY or providers_of(transaction, channel))
    ]


def _below_minimum(transaction: Transaction, channel: Channel) -> bool:
    minimum = TRANSFER_MINIMUM.get(transaction.currency, 0)
    return channel == Channel.BANK_TRANSFER and transaction.requested_amount < minimum


def providers_of(transaction: Transaction, channel: Channel) -> dict[str, Provider]:
    """Return the providers of a channel, without those that `custom_filters` of the transaction excludes."""
    providers = PROVIDERS.get((channel, transaction.currency), {})
    allowed = transaction.custom_filter("supported_mobile_money_providers")
    if channel != Channel.MOBILE_MONEY or allowed is None:
        return providers
    return {code: provider for code, provider in providers.items() if code in allowed}


def check_choice(transaction: Transaction, choice: ChannelChoice) -> str | None:
    """Return the provider of a choice, or None if the channel has no providers.

    Raises ChannelNotAvailable, BelowTransferMinimum, ProviderNotAvailable.
    """
    if _below_minimum(transaction, choice.channel):
        raise BelowTransferMinimum
    if choice.channel == Channel.CARD or choice.channel not in channels_of(transaction):
        raise ChannelNotAvailable
    providers = providers_of(transaction, choice.channel)
    if not providers or choice.provider is None:
        return next(iter(providers), None)
    if choice.provider not in providers:
        raise ProviderNotAvailable(f"provider must be one of: {', '.join(providers)}")
    return choice.provider


def lifetime_of(channel: Channel, currency: str) -> int:
    """Return how long the payer has, in milliseconds. Paystack publishes no time for USSD and QR; they have the time of a transfer."""
    if channel == Channel.MOBILE_MONEY:
        return 3 * MINUTE
    return 25 * MINUTE if channel == Channel.BANK_TRANSFER and currency == "KES" else 15 * MINUTE


def first_status(transaction: Transaction, channel: Channel, provider: str | None) -> PendingChargeStatus:
    """Return the status of a charge that was just opened."""
    if channel == Channel.BANK_TRANSFER:
        return PendingChargeStatus.PENDING
    offered = providers_of(transaction, channel).get(provider or "")
    return PendingChargeStatus.SEND_OTP if offered and offered.asks_for_otp else PendingChargeStatus.PAY_OFFLINE


def account_number(transaction: Transaction) -> str:
    """Return the account that takes the transfer for this transaction."""
    return str(int(derive_code("transfer", transaction.access_code, length=10), 36) % 10**10).zfill(10)


def ussd_code(transaction: Transaction, charge: PendingCharge) -> str:
    """Return what the payer dials."""
    return f"*{charge.provider}*000*{int(derive_code('ussd', transaction.access_code, length=8), 36) % 10_000:04d}#"


def display_text(transaction: Transaction, charge: PendingCharge) -> str:
    """Return what the payer has to do."""
    money = format_money(transaction.requested_amount, transaction.currency)
    if charge.status == PendingChargeStatus.SEND_OTP:
        return "Enter the one-time code that your network sent you"
    if charge.channel == Channel.BANK_TRANSFER:
        return f"Transfer {money} to account {account_number(transaction)} at {BANK}"
    if charge.channel == Channel.USSD:
        return f"Dial {ussd_code(transaction, charge)} on your phone and confirm {money}"
    if charge.channel == Channel.QR:
        return f"Scan the code with the app of your bank and confirm {money}"
    return f"Confirm {money} on your phone"
