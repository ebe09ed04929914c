"""Times in command-line options."""

import re
from datetime import UTC, datetime, timedelta

import typer

AGO = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(typed: str) -> datetime:
    """Parse a time: 2026-11-23, 2026-11-23T09:30:00+01:00 (UTC without an offset), or a time ago such as 90m, 2h, 3d."""
    ago = AGO.fullmatch(typed)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(typed)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter("use a time such as 2026-11-23T09:30, or a time ago such as 2h") from error
    if not 2000 <= found.year < 2200:
        raise typer.BadParameter("use a time between the years 2000 and 2200")
    return found


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Refuse a period that ends before it begins, which would find nothing without an error."""
    if since is not None and since >= (until or datetime.now(UTC)):
        raise typer.BadParameter("the period ends before it begins: --from is the earlier time")
