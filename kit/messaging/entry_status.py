"""The statuses of inbox entries, without the database: the command line names them in its help."""

from enum import StrEnum


class EntryStatus(StrEnum):
    PENDING = "pending"
    """Waits for its first attempt, or for the next attempt after a failure, at `next_attempt_at`."""

    PROCESSED = "processed"
    """Its effect is committed."""

    FAILED = "failed"
    """Out of automatic attempts: an operator has to reprocess it."""
