"""The ways to pay, and what each leaves behind in place of a saved card."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox.transactions.cards import authorization as card_authorization
from sandbox.transactions.cards import authorization_code, code_of
from sandbox.transactions.fees import TARIFFS
from sandbox.transactions.ledger import Transaction

Channel = Literal["card", "bank_transfer", "dedicated_nuban", "direct_debit", "mobile_money", "pos", "qr", "ussd"]


@dataclass(frozen=True, slots=True)
class Words:
    """What Paystack and the bank say of a payment, and whether its fees are known by then."""

    message: str | None
    gateway_response: str
    fees_known: bool = True


WORDS: dict[Channel, Words] = {
    "card": Words(None, "Successful"),
    "bank_transfer": Words(None, "Approved"),
    "dedicated_nuban": Words(None, "Approved"),
    "direct_debit": Words("madePayment", "Payment successful"),
    "mobile_money": Words("madePayment", "Approved"),
    "pos": Words("Payment Made", "Approved or completed successfully", fees_known=False),
    "qr": Words("madePayment", "Payment successful"),
    "ussd": Words("madePayment", "Payment successful", fees_known=False),
}
REUSABLE = ("card", "direct_debit")
"""What is left behind by these can be charged again."""
TRANSFER = {"card_type": "transfer", "brand": "Managed Account", "bin": "009XXX", "last4": "X042"}


def saved_code(transaction: Transaction) -> str:
    return authorization_code(
        transaction.email, transaction.card if transaction.channel == "card" else transaction.channel
    )


def authorization(transaction: Transaction) -> dict[str, Any]:
    """Of a paid transaction."""
    tariff = TARIFFS.get(transaction.currency)
    country = tariff.country if tariff else "NG"
    if transaction.channel == "card":
        return card_authorization(transaction.email, transaction.currency, transaction.card)
    if transaction.channel == "pos":
        return {"exp_month": None, "exp_year": None, "account_name": None} | _receiver(None, None)
    paid = datetime.fromtimestamp((transaction.paid_at or 0) / 1000, UTC)
    common = {
        "authorization_code": saved_code(transaction),
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
    return common | _particulars(transaction, country)


def _particulars(transaction: Transaction, country: str) -> dict[str, Any]:
    if transaction.channel in ("bank_transfer", "dedicated_nuban"):
        return TRANSFER | _transfer(transaction, country)
    particulars: dict[str, dict[str, Any]] = {
        "direct_debit": {"exp_month": None, "exp_year": None, "bank": "Sandbox Bank"},
        "mobile_money": {
            "bin": "055XXX",
            "last4": "X987",
            "exp_month": "12",
            "exp_year": "9999",
            "card_type": "",
            "bank": "MTN Mobile Money",
            "brand": "Mtn mobile money",
            "account_name": "Ada Payer",
        },
        "qr": {
            "bin": "408408",
            "last4": "4081",
            "card_type": "DEBIT",
            "bank": "SANDBOX BANK LIMITED",
            "brand": "VISA",
        }
        | _receiver(None, None),
        "ussd": {
            "bin": "XXXXXX",
            "last4": "XXXX",
            "card_type": "offline",
            "bank": "Sandbox Bank",
            "brand": "offline",
        },
    }
    return particulars[transaction.channel]


def _transfer(transaction: Transaction, country: str) -> dict[str, Any]:
    """Pesalink (Kenya) and dedicated accounts tell the receiver, the plain transfer does not."""
    sent = {
        "sender_country": country,
        "sender_bank": "Sandbox Bank" if country == "KE" else None,
        "sender_bank_account_number": "XXXXXXX042",
        "sender_name": "Ada Payer",
        "narration": None if country == "KE" else "Order",
    }
    if country != "KE" and transaction.channel == "bank_transfer":
        return sent
    account = str(int(code_of("account", transaction.email, length=10), 36) % 10**10).zfill(10)
    return sent | {"bank": "Sandbox Bank"} | _receiver(account, "Sandbox Bank")


def _receiver(account: str | None, bank: str | None) -> dict[str, Any]:
    return {"receiver_bank_account_number": account, "receiver_bank": bank}
