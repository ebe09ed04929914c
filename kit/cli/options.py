"""Options that the commands of several services have."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from kit.cli.lazy import call
from kit.cli.times import parse_time


def parse_line(typed: str) -> str:
    """Parse a line of text: validate_line, which is imported only when it is called."""
    return str(call("kit.cli.lines:validate_line", typed))


def parse_id(typed: str) -> UUID:
    """Parse the id of a row. Raises BadParameter."""
    try:
        return UUID(typed)
    except ValueError as error:
        raise typer.BadParameter("must be an id such as 5b0b7b4e-5a3c-4a0e-9a57-8a3c1f7d2f10") from error


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
START = typer.Option(
    "--from",
    parser=parse_time,
    metavar="TIME",
    help="Start of the period, such as 2026-11-23, or 2h for two hours ago.",
)
Since = Annotated[datetime | None, START]
RequiredSince = Annotated[datetime, START]
Until = Annotated[
    datetime | None, typer.Option("--to", parser=parse_time, metavar="TIME", help="End of the period. Default: now.")
]
REASON = typer.Option("--reason", parser=parse_line, metavar="TEXT", help="Reason, which is recorded in the audit log.")
Reason = Annotated[str, REASON]
OptionalReason = Annotated[str | None, REASON]
