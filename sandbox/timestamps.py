import time
from datetime import UTC, datetime
from typing import overload


def now() -> int:
    """Return the current time in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@overload
def iso_timestamp(milliseconds: int) -> str: ...
@overload
def iso_timestamp(milliseconds: int | None) -> str | None: ...
def iso_timestamp(milliseconds: int | None) -> str | None:
    """Format milliseconds since 1970 as Paystack does: 2026-11-24T10:00:00.000Z."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
