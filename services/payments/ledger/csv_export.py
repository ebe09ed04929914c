"""The books as CSV (RFC 4180), a batch at a time: memory does not grow with the period."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from services.payments.ledger.queries import EntryRow

HEADER = ("recorded_at", "occurred_at", "transaction", "line", "kind", "reference", "account", "currency", "amount")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def lines(first: Sequence[EntryRow], rest: AsyncIterator[Sequence[EntryRow]]) -> AsyncIterator[bytes]:
    """The header, then the entries. `first` is read already: what fails before it is an answer, not a torn file."""
    yield _written([HEADER])
    yield _written(_cells(entry) for entry in first)
    async for batch in rest:
        yield _written(_cells(entry) for entry in batch)


def _cells(entry: EntryRow) -> list[str | int]:
    return [
        entry.recorded_at.isoformat(),
        entry.occurred_at.isoformat(),
        _text(entry.transaction),
        entry.line,
        entry.kind,
        _text(entry.reference or ""),
        entry.account,
        _text(entry.currency),
        entry.amount,
    ]


def _text(value: str) -> str:
    # A reference that is not ours can be anybody's words, and a spreadsheet would run them.
    return f"'{value}" if value.startswith(FORMULA) else value


def _written(rows: Iterable[Sequence[str | int]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()
