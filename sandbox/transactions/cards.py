"""Paystack's test cards, and the customer and authorization of a payment.

Codes are derived from the email and the card number. So, as at Paystack, the same card of the same payer always has the same
authorization code.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sandbox.enums import CardName, CardQuestion, Channel, RefundStatus
from sandbox.transactions.fees import TARIFFS

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Card:
    title: str
    number: str
    hint: str
    decline_message: str | None = None
    """Response of the bank that declines the card; None: the bank approves."""
    refund_status: RefundStatus = RefundStatus.PROCESSED
    """Final status of refunds of payments with this card, unless a control call sets another."""
    questions: tuple[tuple[CardQuestion, str], ...] = ()
    """Questions of the checkout page with their correct answers. If the correct answer is empty, every answer is accepted."""
    brand: str = "visa"


CARDS: dict[CardName, Card] = {
    CardName.SUCCESS: Card("Success", "4084084084084081", "The card is charged"),
    CardName.DECLINED: Card("Declined", "4084080000005408", "The bank declines the card", "Declined"),
    CardName.INSUFFICIENT_FUNDS: Card(
        "Insufficient funds", "4084080000670037", "The bank declines for lack of funds", "Insufficient funds"
    ),
    CardName.REFUND_FAILS: Card(
        "Refund fails", "4084080000671803", "The card is charged, a refund fails", refund_status=RefundStatus.FAILED
    ),
    CardName.REFUND_NEEDS_ATTENTION: Card(
        "Refund needs attention",
        "4084080000671902",
        "The card is charged, a refund needs the payer's bank account",
        refund_status=RefundStatus.NEEDS_ATTENTION,
    ),
    CardName.PIN: Card(
        "PIN", "507850785078507812", "Asks for a PIN", questions=((CardQuestion.PIN, "1111"),), brand="verve"
    ),
    CardName.PIN_OTP: Card(
        "PIN and code",
        "5060666666666666666",
        "Asks for a PIN, then a one-time code",
        questions=((CardQuestion.PIN, "1234"), (CardQuestion.OTP, "123456")),
        brand="verve",
    ),
    CardName.PIN_PHONE_OTP: Card(
        "PIN, phone and code",
        "507850785078507804",
        "Asks for a PIN, a phone number, then a one-time code",
        questions=((CardQuestion.PIN, "0000"), (CardQuestion.PHONE, ""), (CardQuestion.OTP, "123456")),
        brand="verve",
    ),
    CardName.BANK: Card(
        "Bank authentication",
        "5192602720584796",
        "Asks for confirmation on the bank's page",
        questions=((CardQuestion.BANK, "yes"),),
        brand="mastercard",
    ),
    CardName.NO_TOKEN: Card(
        "No token",
        "507850785078507853",
        "Asks for a PIN, then fails",
        "Token not generated",
        questions=((CardQuestion.PIN, "0000"),),
        brand="verve",
    ),
}
CARDS_BY_NUMBER = {card.number: card for card in CARDS.values()}


def derive_code(*parts: str, length: int) -> str:
    """Derive a code of letters and digits from `parts`. The same parts always give the same code."""
    number = int.from_bytes(blake2b("\0".join(parts).encode(errors="replace")).digest())
    characters = []
    for _ in range(length):
        number, index = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[index])
    return "".join(characters)


def customer_id(email: str) -> int:
    return 100_000_000 + int.from_bytes(blake2b(email.lower().encode(), digest_size=4).digest())


def customer(email: str) -> dict[str, Any]:
    return {
        "id": customer_id(email),
        "first_name": None,
        "last_name": None,
        "email": email,
        "customer_code": f"CUS_{derive_code('customer', email.lower(), length=15)}",
        "phone": None,
        "metadata": None,
        "risk_action": "default",
        "international_format_phone": None,
    }


def authorization_code(email: str, number: str) -> str:
    return f"AUTH_{derive_code('authorization', email.lower(), number, length=10)}"


def card_authorization(email: str, currency: str, number: str) -> dict[str, Any]:
    """Return the authorization of a successful card payment."""
    tariff, brand = TARIFFS.get(currency), CARDS_BY_NUMBER[number].brand
    return {
        "authorization_code": authorization_code(email, number),
        "bin": number[:6],
        "last4": number[-4:],
        "exp_month": "12",
        "exp_year": "2030",
        "channel": Channel.CARD,
        "card_type": f"{brand} ",
        "bank": "TEST BANK",
        "country_code": tariff.country if tariff else "NG",
        "brand": brand,
        "reusable": True,
        "signature": f"SIG_{derive_code('signature', number, length=20)}",
        "account_name": None,
    }
