"""Times, as Paystack writes them."""

from datetime import UTC, datetime


def instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
