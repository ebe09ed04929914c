"""Parse single values of Paystack's JSON: accept every form that Paystack uses, and only values in the valid range."""

import re
from datetime import UTC, datetime
from typing import TypeGuard

from pydantic import AwareDatetime, TypeAdapter, ValidationError

MAX_SUBUNITS = 2**53
MAX_ID = 2**63 - 1
"""Paystack's ids are unsigned 64-bit integers; we store them in a signed bigint."""

_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Unreadable(Exception):
    """The body is not the expected JSON, or lacks a required value; the message says which. Parsing it again cannot help."""


def parse_integer(value: object, maximum: int = MAX_SUBUNITS) -> int | None:
    """Return an integer from 0 to `maximum`, or None. Paystack writes integers as numbers or as strings of digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= maximum:
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= maximum else None


def parse_text(value: object, max_length: int) -> str | None:
    """Return the text, cut to `max_length` characters; None if it is empty or not a string."""
    if not isinstance(value, str):
        return None
    # Postgres stores neither NUL nor lone surrogates.
    return value[:max_length].replace("\x00", "").encode("utf-8", "replace").decode() or None


def is_word(value: object, max_length: int) -> TypeGuard[str]:
    """Return True for a text of 1 to `max_length` visible ASCII characters, such as a URL or a code."""
    return isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]+", value) is not None and len(value) <= max_length


def parse_time(value: object) -> datetime | None:
    """Return an ISO 8601 time with an offset as UTC; None if it is anything else."""
    if not isinstance(value, str):
        return None
    try:
        return _TIME.validate_python(value[:40]).astimezone(UTC)
    except (ValidationError, OverflowError):  # OverflowError: before year 1 or after year 9999 in UTC
        return None


def format_time(time: datetime) -> str:
    """Return the time as Paystack writes it: UTC, milliseconds, `Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
