"""Options and arguments that several commands share."""

from datetime import datetime
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from kit.cli.times import parse_time
from kit.fields import Line

LINE: TypeAdapter[str] = TypeAdapter(Line)


def _parse_line(typed: str) -> str:
    """Check a text by the rules of the HTTP API: one line, not empty, at most 200 characters."""
    try:
        return LINE.validate_python(typed)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from error


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        parser=parse_time,
        metavar="TIME",
        help="Start of the period, such as 2026-11-23, or 2h for two hours ago.",
    ),
]
Until = Annotated[
    datetime | None, typer.Option("--to", parser=parse_time, metavar="TIME", help="End of the period. Default: now.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of rows.")]
Reason = Annotated[
    str,
    typer.Option("--reason", parser=_parse_line, metavar="TEXT", help="Reason, which is recorded with the decision."),
]
RefundReason = Annotated[
    str,
    typer.Option(
        "--reason",
        parser=_parse_line,
        metavar="TEXT",
        help="Reason, which is recorded with the refund and shown to the payer.",
    ),
]
Reference = Annotated[str, typer.Argument(help="Reference of the payment.")]
