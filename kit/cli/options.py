"""Options that the commands of several services have."""

from datetime import datetime
from typing import Annotated

import typer

from kit.cli.times import parse_time

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
