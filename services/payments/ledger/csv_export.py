"""Export ledger entries as CSV (RFC 4180), one batch at a time, so that memory use does not grow with the period."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from services.payments.ledger.queries import EntryRow

HEADER = ("recorded_at", "occurred_at", "movement", "line", "kind", "reference", "account", "currency", "amount")
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r")


async def lines(first: Sequence[EntryRow], rest: AsyncIterator[Sequence[EntryRow]]) -> AsyncIterator[bytes]:
    """Yield the header line, then the lines of each batch, encoded as UTF-8.

    The caller reads the `first` batch before the response starts: a database error then becomes an error response and not a truncated file.
    """
    yield _encode([HEADER])
    yield _encode(_cells(entry) for entry in first)
    async for batch in rest:
        yield _encode(_cells(entry) for entry in batch)


def _cells(entry: EntryRow) -> list[str | int]:
    return [
        entry.recorded_at.isoformat(),
        entry.occurred_at.isoformat(),
        _escape_formula(entry.movement),
        entry.line,
        entry.kind,
        _escape_formula(entry.reference or ""),
        entry.account,
        _escape_formula(entry.currency),
        entry.amount,
    ]


def _escape_formula(value: str) -> str:
    """Put a quote before a value that a spreadsheet would execute as a formula. An unknown reference can contain any text."""
    return f"'{value}" if value.startswith(FORMULA_PREFIXES) else value


def _encode(rows: Iterable[Sequence[str | int]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()
