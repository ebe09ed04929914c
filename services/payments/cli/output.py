"""What an operator types and reads: options that many commands have, tables and JSON, progress, who it is, and how a command ends."""

import asyncio
import getpass
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import asyncpg
import typer
from pydantic import BaseModel, TypeAdapter, ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from kit.auth import Caller
from kit.cli.times import parse_time
from kit.errors import Problem
from kit.fields import Line
from kit.messaging.notifier import Notifier
from kit.observability.logging import configure_logging
from kit.worker.shutdown import Shutdown
from services.payments.clients import Clients, open_clients
from services.payments.db import create_notifier, engine

T = TypeVar("T")
LINE: TypeAdapter[str] = TypeAdapter(Line)
WHOLE = frozenset({"reference", "payment", "order_id"})
LONGEST_WHOLE, LONGEST_WORD = 40, 20
GAP = 2
"""Between two columns."""

out = Console()
err = Console(stderr=True)


def reason(typed: str) -> str:
    """One line, as the routes take it."""
    try:
        return LINE.validate_python(typed)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from error


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Since = Annotated[
    datetime | None, typer.Option("--from", parser=parse_time, metavar="TIME", help="Then or later; 2h: two hours ago.")
]
Until = Annotated[datetime | None, typer.Option("--to", parser=parse_time, metavar="TIME", help="Before then.")]
Reason = Annotated[str, typer.Option("--reason", parser=reason, metavar="TEXT", help="Recorded with the decision.")]
ToldReason = Annotated[
    str,
    typer.Option("--reason", parser=reason, metavar="TEXT", help="Recorded with the refund, and told to the payer."),
]
AtMost = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Rows at most.")]


def operator() -> Caller:
    """Whoever is logged in here: a decision is recorded as theirs."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        name = str(os.getuid())
    return Caller(id=f"operator:{name}"[:64], email=None, scopes=frozenset(), token="")


@dataclass(frozen=True, slots=True)
class Context:
    """What a command works with."""

    clients: Clients
    notifier: Notifier


def run(work: Callable[[Context], Awaitable[T]]) -> T:
    """Run a command's work and release everything afterwards. An expected error becomes one sentence on stderr and exit code 1."""
    configure_logging("WARNING", "console", "payments")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(err.file)  # stdout is for the answer

    async def whole() -> T:
        notifier = create_notifier()
        try:
            async with open_clients() as clients:
                found = await work(Context(clients, notifier))
            await notifier.flush()
            return found
        finally:
            await engine.dispose()

    try:
        return asyncio.run(whole())
    except Problem as problem:
        err.print(problem.detail, style="red", markup=False)
    except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        said = str(error).splitlines()[0][:200] if str(error) else ""
        err.print(f"the database cannot be used: {type(error).__name__}: {said}", style="red", markup=False)
    raise typer.Exit(1)


@asynccontextmanager
async def interruptible() -> AsyncIterator[Shutdown]:
    """A life that Ctrl-C ends in order: what is under way is finished."""
    shutdown = Shutdown()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, shutdown.request)
    try:
        yield shutdown
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def progress(*, shown: bool) -> Progress:
    """A bar on stderr."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=not (shown and err.is_terminal),
    )


def print_json(found: object) -> None:
    typer.echo(json.dumps(found, default=_plain, ensure_ascii=False, indent=2))


def print_views(views: Sequence[BaseModel], columns: Sequence[str], *, as_json: bool, nothing: str) -> None:
    """Rows with these columns, or all of them as JSON."""
    if as_json:
        print_json([view.model_dump(mode="json") for view in views])
        return
    if not views:
        out.print(nothing)
        return
    print_rows(columns, [[getattr(view, column) for column in columns] for view in views])


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table where the terminal is wide enough for it, else a paragraph for each row: nothing is cut off."""
    names = [column.replace("_", " ") for column in columns]
    told = [[words(value) for value in row] for row in rows]
    widths = [
        max(_needed(column, name), *(_needed(column, row[at]) for row in told))
        for at, (column, name) in enumerate(zip(columns, names, strict=True))
    ]
    spare = out.width - sum(widths) - GAP * (len(widths) - 1)
    if spare < 0:
        for number, row in enumerate(told):
            if number:
                out.print()
            for name, value in zip(names, row, strict=True):
                # Unbroken, to be copied.
                out.print(f"[bold]{name:>{max(map(len, names))}}[/]  {value}", soft_wrap=True, highlight=False)
        return
    wished = [max(len(name), *(len(row[at]) for row in told)) for at, name in enumerate(names)]
    for at in sorted(range(len(names)), key=lambda at: wished[at] - widths[at]):
        more = min(wished[at] - widths[at], spare)
        widths[at], spare = widths[at] + more, spare - more
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for name, width in zip(names, widths, strict=True):
        table.add_column(name, overflow="fold", width=width)
    for row in told:
        table.add_row(*row)
    out.print(table)


def _needed(column: str, text: str) -> int:
    """Characters below which a column cannot be read: its longest word. A reference that is broken in two cannot be copied."""
    longest = max(map(len, text.split()), default=1)
    return min(longest, LONGEST_WHOLE if column in WHOLE else LONGEST_WORD)


def words(value: object) -> str:
    """A value as a person reads it; what came from outside moves no cursor and is no markup."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return escape(printable(str(value)))


def printable(text: str) -> str:
    """Without what would steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def duration(seconds: float) -> str:
    """3 s, 12 min, 4.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
