"""Parse single values of Paystack's JSON: leniently in form, strictly in range."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, TypeAdapter, ValidationError


def format_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


MAX_SUBUNITS = 2**53


_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Unreadable(Exception):
    """What came does not say what it must; the message says what is missing. No other try can help."""


def parse_integer(value: object, most: int = MAX_SUBUNITS) -> int | None:
    """A whole number from 0 to `most`, which Paystack writes as a number or as a string of digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= most:
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= most else None


def parse_text(value: object, most: int) -> str | None:
    """At most `most` characters, storable; None for what is no text, or empty."""
    if not isinstance(value, str):
        return None
    # Postgres stores neither NUL nor lone surrogates.
    return value[:most].replace("\x00", "").encode("utf-8", "replace").decode() or None


def parse_time(value: object) -> datetime | None:
    """ISO 8601 with an offset, as UTC."""
    if not isinstance(value, str):
        return None
    try:
        return _TIME.validate_python(value[:40]).astimezone(UTC)
    except (ValidationError, OverflowError):  # also what lies before year 1 or after 9999 in UTC
        return None
