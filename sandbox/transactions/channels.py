"""Payment channels, and the authorization of a payment by each of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.enums import Channel
from sandbox.transactions.cards import authorization_code, card_authorization, derive_code
from sandbox.transactions.fees import TARIFFS
from sandbox.transactions.models import Transaction


@dataclass(frozen=True, slots=True)
class ChannelResponse:
    """Messages of a successful payment, and whether its fees are known at that time."""

    message: str | None
    gateway_response: str
    fees_known: bool = True


RESPONSES: dict[Channel, ChannelResponse] = {
    Channel.CARD: ChannelResponse(None, "Successful"),
    Channel.BANK_TRANSFER: ChannelResponse(None, "Approved"),
    Channel.DEDICATED_NUBAN: ChannelResponse(None, "Approved"),
    Channel.DIRECT_DEBIT: ChannelResponse("madePayment", "Payment successful"),
    Channel.MOBILE_MONEY: ChannelResponse("madePayment", "Approved"),
    Channel.POS: ChannelResponse("Payment Made", "Approved or completed successfully", fees_known=False),
    Channel.QR: ChannelResponse("madePayment", "Payment successful"),
    Channel.USSD: ChannelResponse("madePayment", "Payment successful", fees_known=False),
}
REUSABLE = (Channel.CARD, Channel.DIRECT_DEBIT)
"""Channels whose authorizations can be charged again."""
TRANSFER_FIELDS = {"card_type": "transfer", "brand": "Managed Account", "bin": "009XXX", "last4": "X042"}


def authorization_code_of(transaction: Transaction) -> str:
    """Return the authorization code of a paid transaction. Channels without a card use the channel in place of the card number."""
    return authorization_code(
        transaction.email, transaction.card if transaction.channel == Channel.CARD else transaction.channel
    )


def authorization(transaction: Transaction) -> dict[str, Any]:
    """Return the authorization of a paid transaction."""
    tariff = TARIFFS.get(transaction.currency)
    country = tariff.country if tariff else "NG"
    if transaction.channel == Channel.CARD:
        return card_authorization(transaction.email, transaction.currency, transaction.card)
    if transaction.channel == Channel.POS:
        return {"exp_month": None, "exp_year": None, "account_name": None} | _receiver(None, None)
    paid = datetime.fromtimestamp((transaction.paid_at or 0) / 1000, UTC)
    common = {
        "authorization_code": authorization_code_of(transaction),
        "bin": None,
        "last4": None,
        "exp_month": f"{paid:%m}",
        "exp_year": f"{paid:%Y}",
        "channel": transaction.channel,
        "card_type": None,
        "bank": None,
        "country_code": country,
        "brand": None,
        "reusable": transaction.channel in REUSABLE,
        "signature": None,
        "account_name": None,
    }
    return common | _channel_fields(transaction, country)


def _channel_fields(transaction: Transaction, country: str) -> dict[str, Any]:
    if transaction.channel in (Channel.BANK_TRANSFER, Channel.DEDICATED_NUBAN):
        return TRANSFER_FIELDS | _transfer(transaction, country)
    fields: dict[Channel, dict[str, Any]] = {
        Channel.DIRECT_DEBIT: {"exp_month": None, "exp_year": None, "bank": "Sandbox Bank"},
        Channel.MOBILE_MONEY: {
            "bin": "055XXX",
            "last4": "X987",
            "exp_month": "12",
            "exp_year": "9999",
            "card_type": "",
            "bank": "MTN Mobile Money",
            "brand": "Mtn mobile money",
            "account_name": "Ada Payer",
        },
        Channel.QR: {
            "bin": "408408",
            "last4": "4081",
            "card_type": "DEBIT",
            "bank": "SANDBOX BANK LIMITED",
            "brand": "VISA",
        }
        | _receiver(None, None),
        Channel.USSD: {
            "bin": "XXXXXX",
            "last4": "XXXX",
            "card_type": "offline",
            "bank": "Sandbox Bank",
            "brand": "offline",
        },
    }
    return fields[transaction.channel]


def _transfer(transaction: Transaction, country: str) -> dict[str, Any]:
    """Return the sender and, for Pesalink (Kenya) and dedicated accounts, also the receiver."""
    sender = {
        "sender_country": country,
        "sender_bank": "Sandbox Bank" if country == "KE" else None,
        "sender_bank_account_number": "XXXXXXX042",
        "sender_name": "Ada Payer",
        "narration": None if country == "KE" else "Order",
    }
    if country != "KE" and transaction.channel == Channel.BANK_TRANSFER:
        return sender
    account = str(int(derive_code("account", transaction.email, length=10), 36) % 10**10).zfill(10)
    return sender | {"bank": "Sandbox Bank"} | _receiver(account, "Sandbox Bank")


def _receiver(account: str | None, bank: str | None) -> dict[str, Any]:
    return {"receiver_bank_account_number": account, "receiver_bank": bank}
