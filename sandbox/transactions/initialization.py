"""What a merchant may send to /transaction/initialize, read as Paystack reads it."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.errors import (
    AmountMissing,
    AmountNotInteger,
    CurrencyNotSupported,
    EmailMissing,
    InvalidAmount,
    InvalidEmail,
    InvalidParams,
)
from sandbox.transactions.fees import TARIFFS
from sandbox.transactions.ledger import Opening
from sandbox.wire import compact

DEFAULT_CURRENCY = "NGN"
MAXIMUM = 10_000_000 * 100
"""Subunits: 10,000,000 in any currency."""
FIELDS = 200
INTEGER = re.compile(r"-?[0-9]{1,30}")
EMAIL = re.compile(r"[^@\s\x00-\x1f<>\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?\.[A-Za-z]{2,63}")
REFERENCE = re.compile(r"[A-Za-z0-9.=_-]{1,200}")


def fields(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a JSON or a form body. Errors: InvalidParams."""
    try:
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidParams("The body is neither JSON nor a form") from error
    if not isinstance(found, dict):
        raise InvalidParams("The body must be a JSON object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def opening(sent: dict[str, Any]) -> Opening:
    """Errors: every refusal of initialize but the reused reference."""
    return Opening(
        email=_email(sent.get("email")),
        amount=amount(sent.get("amount")),
        currency=_currency(sent.get("currency")),
        reference=_reference(sent.get("reference")),
        metadata=_metadata(sent.get("metadata")),
        callback_url=_callback_url(sent.get("callback_url")),
        label=_label(sent.get("label")),
    )


def amount(sent: Any) -> int:
    """Subunits: 100, "100" and 100.0 are one amount; fractions, zero, negatives and more than MAXIMUM are refused."""
    if sent is None or sent == "":
        raise AmountMissing
    if (isinstance(sent, str) and INTEGER.fullmatch(sent)) or (isinstance(sent, float) and sent.is_integer()):
        sent = int(sent)
    if not isinstance(sent, int) or isinstance(sent, bool):
        raise AmountNotInteger
    if sent <= 0:
        raise InvalidAmount
    if sent > MAXIMUM:
        raise InvalidAmount("Amount cannot be more than 10,000,000")
    return sent


def web_address(sent: Any) -> str | None:
    """`sent` when a browser may be led there."""
    if not isinstance(sent, str) or len(sent) > 2048 or not sent.isprintable() or " " in sent:
        return None
    try:
        parts = urlsplit(sent)
        return sent if parts.scheme in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def _email(sent: Any) -> str:
    if sent is None or sent == "":
        raise EmailMissing
    if not isinstance(sent, str) or len(sent) > 254 or not EMAIL.fullmatch(sent) or not storable(sent):
        raise InvalidEmail
    return sent


def _currency(sent: Any) -> str:
    # Left out or null is a success in the default currency: a real mischarge, so the sandbox does it too.
    if sent is None:
        return DEFAULT_CURRENCY
    if not isinstance(sent, str) or sent not in TARIFFS:
        raise CurrencyNotSupported
    return sent


def _reference(sent: Any) -> str | None:
    if sent is None or sent == "":
        return None
    if not isinstance(sent, str) or not REFERENCE.fullmatch(sent):
        raise InvalidParams("Reference may hold letters, digits and - . = only, 200 at most")
    return sent


def _callback_url(sent: Any) -> str | None:
    if sent is None or sent == "":
        return None
    address = web_address(sent)
    if address is None:
        raise InvalidParams("callback_url must be an http or https address")
    return address


def _label(sent: Any) -> str | None:
    return sent[:100] if isinstance(sent, str) and sent.strip() and storable(sent) else None


def storable(text: str) -> bool:
    """No lone surrogates: they have no UTF-8."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _metadata(sent: Any) -> str | None:
    """JSON. In an object numbers become strings; in a string of JSON they keep their type. Both were observed."""
    if sent is None or sent == "":
        return None
    try:
        if not isinstance(sent, str):
            return compact(_numbers_as_strings(sent)).decode()
        try:
            return compact(json.loads(sent, parse_constant=_no_constant)).decode()
        except ValueError:
            return compact(sent).decode()
    except (ValueError, RecursionError) as error:
        raise InvalidParams("Metadata cannot be read") from error


def _numbers_as_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers_as_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers_as_strings(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, allow_nan=False)
    return value
