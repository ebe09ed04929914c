"""What a merchant may send to /refund."""

from typing import Any

from sandbox.door.texts import required, text
from sandbox.errors import InvalidParams
from sandbox.refunds.errors import TransactionMissing
from sandbox.refunds.life import Asked
from sandbox.transactions.initialization import amount, storable

NOTE = 1_000
"""Characters."""


def asked(sent: dict[str, Any]) -> Asked:
    """Errors: TransactionMissing, AmountNotInteger, InvalidAmount, InvalidParams."""
    wanted = sent.get("amount")
    return Asked(
        transaction=_transaction(sent.get("transaction")),
        amount=None if wanted is None or wanted == "" else amount(wanted),
        currency=text(sent, "currency", 3),
        customer_note=text(sent, "customer_note", NOTE),
        merchant_note=text(sent, "merchant_note", NOTE),
    )


def account_currency(sent: dict[str, Any]) -> str:
    """The currency of the account that a stuck refund may go to. Errors: InvalidParams."""
    details = sent.get("refund_account_details")
    if not isinstance(details, dict):
        raise InvalidParams("refund_account_details is required")
    given = {name: required(details, name, 50) for name in ("currency", "account_number", "bank_id")}
    return given["currency"]


def _transaction(sent: Any) -> str:
    if sent is None or sent == "":
        raise TransactionMissing
    if isinstance(sent, int) and not isinstance(sent, bool):
        return str(sent)
    if not isinstance(sent, str) or len(sent) > 200 or not storable(sent):
        raise InvalidParams("transaction must be a reference or a numeric id")
    return sent
