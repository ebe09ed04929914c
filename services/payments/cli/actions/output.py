"""Print results to stdout (tables, JSON), and progress and messages to stderr."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from kit.cli.text import printable

UNBROKEN_COLUMNS = frozenset(
    {
        *("reference", "payment", "order_id"),
        *("order_amount", "paid", "difference", "refund_amount", "disputed_amount"),
        *("created_at", "received_at", "due_at", "at"),
    }
)
"""Columns whose values have no line break: references are copied from the terminal, and amounts and times are read as one word."""

MAX_UNBROKEN_WIDTH, MAX_WORD_WIDTH = 40, 20
"""Up to this length, values of UNBROKEN_COLUMNS and words of the other columns are not broken."""

GAP = 2
"""Characters between two columns."""

out = Console()
err = Console(stderr=True)


def progress(*, shown: bool) -> Progress:
    """Return a progress bar on stderr. It is disabled if `shown` is False or stderr is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not (shown and err.is_terminal),
    )


def print_json(value: object) -> None:
    """Print a value as indented JSON. Times are in ISO 8601."""
    typer.echo(json.dumps(value, default=_to_json, ensure_ascii=False, indent=2))


def print_result(view: BaseModel, sentence: str, *, as_json: bool) -> None:
    """Print a view as JSON, or only a sentence about it."""
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        out.print(sentence, markup=False)


def print_views(views: Sequence[BaseModel], columns: Sequence[str], *, as_json: bool, if_empty: str) -> None:
    """Print these columns of the views as a table, or all fields as JSON. Print the sentence `if_empty` for an empty table."""
    if as_json:
        print_json([view.model_dump(mode="json") for view in views])
        return
    if not views:
        out.print(if_empty)
        return
    print_rows(columns, [[getattr(view, column) for column in columns] for view in views])


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one line for each field: its name, and its value without line breaks of our own, so that it can be copied."""
    width = max(map(len, fields))
    for name, value in fields.items():
        label = to_text(name.replace("_", " "))
        out.print(f"[bold]{label:>{width}}[/]  {to_text(value)}", soft_wrap=True, highlight=False)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, or one paragraph for each row if the terminal is too narrow. Nothing is cut off."""
    names = [column.replace("_", " ") for column in columns]
    texts = [[to_text(value) for value in row] for row in rows]
    widths = [
        max(_min_width(column, name), *(_min_width(column, row[index]) for row in texts))
        for index, (column, name) in enumerate(zip(columns, names, strict=True))
    ]
    spare = out.width - sum(widths) - GAP * (len(widths) - 1)
    if spare < 0:
        _print_paragraphs(names, texts)
        return
    full_widths = [max(len(name), *(len(row[index]) for row in texts)) for index, name in enumerate(names)]
    # Give the spare width first to the columns that need the least of it to show their texts without line breaks.
    for index in sorted(range(len(names)), key=lambda index: full_widths[index] - widths[index]):
        added = min(full_widths[index] - widths[index], spare)
        widths[index], spare = widths[index] + added, spare - added
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for name, width in zip(names, widths, strict=True):
        table.add_column(name, overflow="fold", width=width)
    for row in texts:
        table.add_row(*row)
    out.print(table)


def _print_paragraphs(names: Sequence[str], texts: Sequence[Sequence[str]]) -> None:
    name_width = max(map(len, names))
    for number, row in enumerate(texts):
        if number:
            out.print()
        for name, value in zip(names, row, strict=True):
            # Without line breaks of our own, so that values can be copied.
            out.print(f"[bold]{name:>{name_width}}[/]  {value}", soft_wrap=True, highlight=False)


def _min_width(column: str, text: str) -> int:
    """Return the width that a column needs so that its values, or the words of its values, are not broken."""
    if column in UNBROKEN_COLUMNS:
        return min(len(text), MAX_UNBROKEN_WIDTH)
    return min(max(map(len, text.split()), default=1), MAX_WORD_WIDTH)


def to_text(value: object) -> str:
    """Return a value as text for `print`: times in UTC, None as a dash, control characters replaced, rich's markup escaped."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return escape(printable(str(value)))


def duration(seconds: float) -> str:
    """Return a duration in a readable unit: 3 s, 12 min, 4.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _to_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
