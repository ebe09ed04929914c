"""The statuses of inbox entries, without the database: the command line names them in its help."""

from enum import StrEnum


class EntryStatus(StrEnum):
    PENDING = "pending"
    """Waits for its first attempt, or for the next attempt after a failure, at `next_attempt_at`."""

    PROCESSED = "processed"
    """Its effect, if it has one, is committed; or an operator has closed it."""

    FAILED = "failed"
    """All automatic attempts were used, or a retry cannot succeed. An operator reprocesses or closes it. If the message is delivered again,
    the entry becomes pending."""
