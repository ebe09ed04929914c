"""What a merchant may send to /refund."""

from typing import Any

from sandbox.errors import InvalidParams
from sandbox.initialization import amount, storable
from sandbox.refunds.errors import TransactionMissing
from sandbox.refunds.life import Asked

NOTE = 1_000
"""Characters."""


def asked(sent: dict[str, Any]) -> Asked:
    """Errors: TransactionMissing, AmountNotInteger, InvalidAmount, InvalidParams."""
    wanted = sent.get("amount")
    return Asked(
        transaction=_transaction(sent.get("transaction")),
        amount=None if wanted is None or wanted == "" else amount(wanted),
        currency=_text(sent, "currency", 3),
        customer_note=_text(sent, "customer_note", NOTE),
        merchant_note=_text(sent, "merchant_note", NOTE),
    )


def account_currency(sent: dict[str, Any]) -> str:
    """The currency of the account that a stuck refund may go to. Errors: InvalidParams."""
    details = sent.get("refund_account_details")
    if not isinstance(details, dict):
        raise InvalidParams("refund_account_details is required")
    given = {name: _text(details, name, 50) for name in ("currency", "account_number", "bank_id")}
    for name, value in given.items():
        if value is None:
            raise InvalidParams(f"refund_account_details.{name} is required")
    return given["currency"] or ""


def _transaction(sent: Any) -> str:
    if sent is None or sent == "":
        raise TransactionMissing
    if isinstance(sent, int) and not isinstance(sent, bool):
        return str(sent)
    if not isinstance(sent, str) or len(sent) > 200 or not storable(sent):
        raise InvalidParams("transaction must be a reference or a numeric id")
    return sent


def _text(sent: dict[str, Any], name: str, longest: int) -> str | None:
    value = sent.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > longest or not storable(value):
        raise InvalidParams(f"{name} must be a text of {longest} characters at most")
    return value
