"""What a merchant may send about a dispute."""

from typing import Any, Literal

from sandbox.disputes.errors import DisputeNotFound
from sandbox.disputes.life import Answer
from sandbox.door.queries import NUMERIC_ID
from sandbox.door.texts import required, text
from sandbox.errors import AmountMissing, AmountNotInteger, InvalidAmount, InvalidParams
from sandbox.transactions.initialization import MAXIMUM

NEEDED = ("customer_email", "customer_name", "customer_phone", "service_details")
WELCOME = ("delivery_address", "delivery_date")
LONG = 2_000
"""Characters."""


def number(sent: str) -> int:
    if not NUMERIC_ID.fullmatch(sent):
        raise DisputeNotFound
    return int(sent)


def refund_amount(sent: dict[str, Any]) -> int:
    """Subunits; 0 gives nothing back."""
    wanted = sent.get("refund_amount")
    if wanted is None or wanted == "":
        raise AmountMissing("refund_amount is required")
    if isinstance(wanted, str) and NUMERIC_ID.fullmatch(wanted):
        wanted = int(wanted)
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        raise AmountNotInteger('"refund_amount" must be an integer')
    if not 0 <= wanted <= MAXIMUM:
        raise InvalidAmount
    return wanted


def filename(sent: dict[str, Any]) -> str | None:
    return text(sent, "uploaded_filename", 200)


def evidence(sent: dict[str, Any]) -> dict[str, str | None]:
    """Errors: InvalidParams."""
    return {name: required(sent, name, LONG) for name in NEEDED} | {name: text(sent, name, LONG) for name in WELCOME}


def answer(sent: dict[str, Any]) -> Answer:
    """Errors: InvalidParams, and those of an amount."""
    choices: dict[str, Literal["merchant-accepted", "declined"]] = {
        "merchant-accepted": "merchant-accepted",
        "declined": "declined",
    }
    resolution = choices.get(required(sent, "resolution", 50))
    if resolution is None:
        raise InvalidParams(f"resolution must be one of {', '.join(choices)}")
    words, name = required(sent, "message", LONG), required(sent, "uploaded_filename", 200)
    return Answer(resolution, words, refund_amount(sent), name)
