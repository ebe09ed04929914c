"""Paystack's test cards, and what a payment with one of them leaves behind.

Codes are derived, not stored: the same card of the same payer has the same code, as a saved card has.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

from sandbox.transactions.fees import TARIFFS

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


Ending = Literal["processed", "failed", "needs-attention"]
Question = Literal["pin", "phone", "otp", "bank"]


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    number: str
    hint: str
    refusal: str | None = None
    """The bank's words when it says no."""
    refunds_end: Ending = "processed"
    """How a refund of a payment with this card ends, unless a script orders otherwise."""
    asks: tuple[tuple[Question, str], ...] = ()
    """What the page asks the payer, with the right answers; any is right where none is given."""
    brand: str = "visa"


CARDS = {
    "success": Card("Success", "4084084084084081", "The card is charged"),
    "declined": Card("Declined", "4084080000005408", "The bank says no", "Declined"),
    "insufficient-funds": Card("Insufficient funds", "4084080000670037", "The card is empty", "Insufficient funds"),
    "refund-fails": Card("Refund fails", "4084080000671803", "Charged; a refund fails", refunds_end="failed"),
    "refund-needs-attention": Card(
        "Refund gets stuck", "4084080000671902", "Its refund needs attention", refunds_end="needs-attention"
    ),
    "pin": Card("PIN", "507850785078507812", "Asks for a PIN", asks=(("pin", "1111"),), brand="verve"),
    "pin-otp": Card(
        "PIN and code",
        "5060666666666666666",
        "Asks for a PIN, then a code",
        asks=(("pin", "1234"), ("otp", "123456")),
        brand="verve",
    ),
    "pin-phone-otp": Card(
        "PIN, phone and code",
        "507850785078507804",
        "Asks for a phone number too",
        asks=(("pin", "0000"), ("phone", ""), ("otp", "123456")),
        brand="verve",
    ),
    "bank": Card("Bank's own page", "5192602720584796", "The bank asks", asks=(("bank", "yes"),), brand="mastercard"),
    "no-token": Card(
        "No token",
        "507850785078507853",
        "Asks for a PIN, then fails",
        "Token not generated",
        asks=(("pin", "0000"),),
        brand="verve",
    ),
}
CardName = Literal[
    "success",
    "declined",
    "insufficient-funds",
    "refund-fails",
    "refund-needs-attention",
    "pin",
    "pin-otp",
    "pin-phone-otp",
    "bank",
    "no-token",
]
BY_NUMBER = {card.number: card for card in CARDS.values()}


def code_of(*parts: str, length: int) -> str:
    """Letters and digits that always follow from `parts`."""
    number = int.from_bytes(blake2b("\0".join(parts).encode(errors="replace")).digest())
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)


def customer_id(email: str) -> int:
    return 100_000_000 + int.from_bytes(blake2b(email.lower().encode(), digest_size=4).digest())


def customer(email: str) -> dict[str, Any]:
    return {
        "id": customer_id(email),
        "first_name": None,
        "last_name": None,
        "email": email,
        "customer_code": f"CUS_{code_of('customer', email.lower(), length=15)}",
        "phone": None,
        "metadata": None,
        "risk_action": "default",
        "international_format_phone": None,
    }


def authorization_code(email: str, number: str) -> str:
    return f"AUTH_{code_of('authorization', email.lower(), number, length=10)}"


def authorization(email: str, currency: str, number: str) -> dict[str, Any]:
    """The saved card of a successful payment."""
    tariff, brand = TARIFFS.get(currency), BY_NUMBER[number].brand
    return {
        "authorization_code": authorization_code(email, number),
        "bin": number[:6],
        "last4": number[-4:],
        "exp_month": "12",
        "exp_year": "2030",
        "channel": "card",
        "card_type": f"{brand} ",
        "bank": "TEST BANK",
        "country_code": tariff.country if tariff else "NG",
        "brand": brand,
        "reusable": True,
        "signature": f"SIG_{code_of('signature', number, length=20)}",
        "account_name": None,
    }
