"""Times in command-line options."""

import re
from datetime import UTC, datetime, timedelta

import typer

DURATION = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(value: str) -> datetime:
    """Parse a time: 2026-11-23, 2026-11-23T09:30:00+01:00 (UTC if it has no offset), or 90m, 2h or 3d for that long ago."""
    duration = DURATION.fullmatch(value)
    try:
        if duration:
            return datetime.now(UTC) - timedelta(**{UNITS[duration[2]]: int(duration[1])})
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter("use a time such as 2026-11-23T09:30, or 2h for two hours ago") from error
    if not 2000 <= found.year < 2200:
        raise typer.BadParameter("use a time in the years 2000 to 2199")
    return found


def check_period(since: datetime | None, until: datetime | None) -> None:
    """Raise BadParameter if a period ends before it begins. The command would otherwise find nothing and report success."""
    if since is not None and since >= (until or datetime.now(UTC)):
        raise typer.BadParameter("the period ends before it begins: --from must be earlier than --to")
