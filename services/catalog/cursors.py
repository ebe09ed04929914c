"""Times and ids in cursors: exact on the way out, and anything that is none refused on the way in."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from kit.pagination import InvalidCursor

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Microseconds since the epoch: all that Postgres keeps of a time."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_moment(key: str | int) -> datetime:
    """Raises InvalidCursor on what is out of range."""
    try:
        return EPOCH + timedelta(microseconds=int(key))
    except (ValueError, OverflowError) as error:
        raise InvalidCursor from error


def to_id(key: str | int) -> UUID:
    """Raises InvalidCursor on what is no id."""
    try:
        return UUID(str(key))
    except ValueError as error:
        raise InvalidCursor from error
