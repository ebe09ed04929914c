"""Parsing of /transaction/initialize and of amounts. Accepts and refuses the same values as Paystack."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.api.fields import is_utf8, reject_constant
from sandbox.enums import CheckoutChannel
from sandbox.errors import (
    AmountMissing,
    AmountNotInteger,
    CurrencyNotSupported,
    EmailMissing,
    InvalidAmount,
    InvalidEmail,
    InvalidParams,
)
from sandbox.responses import compact_json
from sandbox.transactions.fees import TARIFFS
from sandbox.transactions.models import NewTransaction

DEFAULT_CURRENCY = "NGN"
MAXIMUM_AMOUNT = 10_000_000 * 100
"""Subunits: 10,000,000 in any currency."""
INTEGER = re.compile(r"-?[0-9]{1,30}")
EMAIL = re.compile(
    r"[^@\s\x00-\x1f<>\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?\.[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
REFERENCE = re.compile(r"[A-Za-z0-9.=_-]{1,200}")


def parse_initialize(fields: dict[str, Any]) -> NewTransaction:
    """Parse the fields of initialize. Raises AmountMissing, AmountNotInteger, CurrencyNotSupported, EmailMissing, InvalidAmount,
    InvalidEmail, InvalidParams.
    """
    return NewTransaction(
        email=_parse_email(fields.get("email")),
        amount=parse_amount(fields.get("amount")),
        currency=_parse_currency(fields.get("currency")),
        reference=_parse_reference(fields.get("reference")),
        metadata=_parse_metadata(fields.get("metadata")),
        callback_url=_parse_callback_url(fields.get("callback_url")),
        label=_parse_label(fields.get("label")),
        channels=_parse_channels(fields.get("channels")),
    )


def parse_amount(value: Any) -> int:
    """Return subunits. 100, "100" and 100.0 are the same amount.

    Raises AmountMissing, AmountNotInteger for fractions, and InvalidAmount for zero, negative and too large amounts.
    """
    if value is None or value == "":
        raise AmountMissing
    if (isinstance(value, str) and INTEGER.fullmatch(value)) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise AmountNotInteger
    if value <= 0:
        raise InvalidAmount
    if value > MAXIMUM_AMOUNT:
        raise InvalidAmount("Amount cannot be more than 10,000,000")
    return value


def parse_http_url(value: Any) -> str | None:
    """Return `value` if a browser can be redirected to it, else None."""
    if not isinstance(value, str) or len(value) > 2048 or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
        return value if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _parse_email(value: Any) -> str:
    if value is None or value == "":
        raise EmailMissing
    if not isinstance(value, str) or len(value) > 254 or not EMAIL.fullmatch(value) or not is_utf8(value):
        raise InvalidEmail
    return value


def _parse_currency(value: Any) -> str:
    # Without a currency, or with null, Paystack charges in its default currency. A shop that forgets the currency charges a wrong
    # amount; the sandbox behaves the same, so that tests of the shop find the error.
    if value is None:
        return DEFAULT_CURRENCY
    if not isinstance(value, str) or value not in TARIFFS:
        raise CurrencyNotSupported
    return value


def _parse_reference(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not REFERENCE.fullmatch(value):
        raise InvalidParams("reference must have 1 to 200 characters: letters, digits and - . = _")
    return value


def _parse_callback_url(value: Any) -> str | None:
    if value is None or value == "":
        return None
    url = parse_http_url(value)
    if url is None:
        raise InvalidParams("callback_url must be an http or https URL")
    return url


def _parse_label(value: Any) -> str | None:
    return value[:100] if isinstance(value, str) and value.strip() and is_utf8(value) else None


def _parse_channels(value: Any) -> str | None:
    """Return the list of channels as JSON; None: all channels."""
    if value is None or value == "" or value == []:
        return None
    if not isinstance(value, list) or not all(each in list(CheckoutChannel) for each in value):
        raise InvalidParams(f"channels must be a list of: {', '.join(CheckoutChannel)}")
    return compact_json(sorted(set(value))).decode()


def _parse_metadata(value: Any) -> str | None:
    """Return metadata as JSON. As observed at Paystack, numbers become strings if metadata is an object, and stay numbers if metadata is
    a string that contains JSON.
    """
    if value is None or value == "":
        return None
    try:
        if not isinstance(value, str):
            return compact_json(_numbers_as_strings(value)).decode()
        try:
            return compact_json(json.loads(value, parse_constant=reject_constant)).decode()
        except ValueError:
            return compact_json(value).decode()
    except (ValueError, RecursionError) as error:
        raise InvalidParams("metadata cannot be stored as JSON") from error


def _numbers_as_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers_as_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_as_strings(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, allow_nan=False)
    return value
