"""Print lists of rows: as aligned columns, or as JSON."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import typer

from kit.cli.text import printable

Row = Mapping[str, str | int | datetime | list[str] | None]


def print_rows(rows: Sequence[Row], empty: str, *, as_json: bool) -> None:
    """Print rows of equal keys, or the sentence `empty` if there are none. Times are printed in UTC."""
    if as_json:
        typer.echo(json.dumps(rows, default=lambda time: time.isoformat(), ensure_ascii=False, indent=2))
    elif not rows:
        typer.echo(empty)
    else:
        cells = [
            [name.replace("_", " ") for name in rows[0]],
            *([_text(value) for value in row.values()] for row in rows),
        ]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells:
            typer.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case list():
            return printable(" ".join(map(str, value))) or "-"
        case _:
            return printable(str(value))
