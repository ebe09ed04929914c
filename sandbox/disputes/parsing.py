"""Parsing of the bodies of /dispute."""

from typing import Any

from sandbox.api.fields import optional_string, required_string
from sandbox.api.query_string import NUMERIC_ID
from sandbox.disputes.errors import DisputeNotFound
from sandbox.disputes.lifecycle import MerchantResponse
from sandbox.enums import DisputeResolution
from sandbox.errors import AmountMissing, AmountNotInteger, InvalidAmount, InvalidParams
from sandbox.transactions.parsing import MAXIMUM_AMOUNT

REQUIRED_EVIDENCE = ("customer_email", "customer_name", "customer_phone", "service_details")
OPTIONAL_EVIDENCE = ("delivery_address", "delivery_date")
TEXT_LENGTH = 2_000
"""Characters."""
RESOLUTIONS = (DisputeResolution.MERCHANT_ACCEPTED, DisputeResolution.DECLINED)


def parse_id(value: str) -> int:
    """Parse the numeric id in a path. Raises DisputeNotFound for any other string."""
    if not NUMERIC_ID.fullmatch(value):
        raise DisputeNotFound
    return int(value)


def parse_refund_amount(fields: dict[str, Any]) -> int:
    """Return subunits; 0 means that nothing is refunded. Raises AmountMissing, AmountNotInteger, InvalidAmount."""
    amount = fields.get("refund_amount")
    if amount is None or amount == "":
        raise AmountMissing("refund_amount is required")
    if isinstance(amount, str) and NUMERIC_ID.fullmatch(amount):
        amount = int(amount)
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise AmountNotInteger('"refund_amount" must be an integer')
    if not 0 <= amount <= MAXIMUM_AMOUNT:
        raise InvalidAmount
    return amount


def parse_filename(fields: dict[str, Any]) -> str | None:
    """Return the name of an uploaded file. Raises InvalidParams."""
    return optional_string(fields, "uploaded_filename", 200)


def parse_evidence(fields: dict[str, Any]) -> dict[str, str | None]:
    """Return all evidence fields. Raises InvalidParams."""
    required = {name: required_string(fields, name, TEXT_LENGTH) for name in REQUIRED_EVIDENCE}
    return required | {name: optional_string(fields, name, TEXT_LENGTH) for name in OPTIONAL_EVIDENCE}


def parse_response(fields: dict[str, Any]) -> MerchantResponse:
    """Parse the body of resolve. Raises InvalidParams, and the errors of `parse_refund_amount`."""
    value = required_string(fields, "resolution", 50)
    resolution = next((each for each in RESOLUTIONS if each == value), None)
    if resolution is None:
        raise InvalidParams(f"resolution must be one of {', '.join(RESOLUTIONS)}")
    message = required_string(fields, "message", TEXT_LENGTH)
    filename = required_string(fields, "uploaded_filename", 200)
    return MerchantResponse(resolution, message, parse_refund_amount(fields), filename)
