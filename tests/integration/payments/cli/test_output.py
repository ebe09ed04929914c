"""Tables fit the terminal, and nothing is cut off."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from services.payments.cli.actions import output


@pytest.mark.parametrize("width", [20, 80, *range(100, 132)])
def test_print_rows_however_narrow_the_terminal_is_cuts_nothing_off(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=written, width=width))
    reference = "pay-0123456789abcdef0123456789abcdef"
    columns = ("received_at", "event", "reference", "outcome", "attempts", "error")
    output.print_rows(
        columns,
        [
            (
                datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
                "refund.processing",
                reference,
                "refund sync scheduled",
                1,
                None,
            ),
            (datetime(2026, 11, 24, 9, 31, tzinfo=UTC), "moon.landed", None, "unchanged: succeeded", 12, "so it is"),
        ],
    )
    shown = written.getvalue()
    for word in (reference, "refund.processing", "received", "attempts", "error", "succeeded", "09:31:00", "12", "is"):
        assert word in shown, shown
    assert width == 20 or all(len(line) <= width for line in shown.splitlines()), shown
