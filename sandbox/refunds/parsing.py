"""Parsing of the bodies of /refund."""

from typing import Any

from sandbox.api.fields import is_utf8, optional_string, required_string
from sandbox.api.query_string import NUMERIC_ID
from sandbox.errors import InvalidParams
from sandbox.refunds.errors import RefundNotFound, TransactionMissing
from sandbox.refunds.lifecycle import RefundRequest
from sandbox.transactions.parsing import parse_amount

NOTE_LENGTH = 1_000
"""Characters."""


def parse_refund_id(value: str) -> int:
    """Parse the numeric id in a path. Raises RefundNotFound for any other string."""
    if not NUMERIC_ID.fullmatch(value):
        raise RefundNotFound
    return int(value)


def parse_refund_request(fields: dict[str, Any]) -> RefundRequest:
    """Parse the body of POST /refund. Raises TransactionMissing, AmountNotInteger, InvalidAmount, InvalidParams."""
    amount = fields.get("amount")
    return RefundRequest(
        transaction=_parse_transaction(fields.get("transaction")),
        amount=None if amount is None or amount == "" else parse_amount(amount),
        currency=optional_string(fields, "currency", 3),
        customer_note=optional_string(fields, "customer_note", NOTE_LENGTH),
        merchant_note=optional_string(fields, "merchant_note", NOTE_LENGTH),
    )


def parse_account_currency(fields: dict[str, Any]) -> str:
    """Parse the payer's bank account in the body of a retry, and return its currency. Raises InvalidParams."""
    details = fields.get("refund_account_details")
    if not isinstance(details, dict):
        raise InvalidParams("refund_account_details is required")
    account = {name: required_string(details, name, 50) for name in ("currency", "account_number", "bank_id")}
    return account["currency"]


def _parse_transaction(value: Any) -> str:
    if value is None or value == "":
        raise TransactionMissing
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or len(value) > 200 or not is_utf8(value):
        raise InvalidParams("transaction must be a reference or a numeric id")
    return value
