"""What the command `account import` does."""

from pathlib import Path

import typer

from kit.audit.actor import command_actor
from kit.cli.app import run_command
from services.auth.db import db_sessions
from services.auth.management.import_files import Format, RefusedFile, RefusedLine, read_accounts
from services.auth.management.imports import ImportResult, import_accounts


def import_file(path: Path, file_format: Format | None) -> None:
    """Import a file. Print each refused line to stderr, and the result. Exit with code 1 if lines were refused."""
    chosen = file_format or _format_of(path)

    async def work() -> ImportResult:
        with path.open("rb") as file:
            return await import_accounts(db_sessions, command_actor(), read_accounts(file, chosen), _report)

    try:
        result = run_command("services.auth", work)
    except RefusedFile as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    typer.echo(f"imported: {result.imported}, existing: {result.existing}, refused: {result.refused}")
    if result.refused:
        raise typer.Exit(1)


def _report(number: int, error: RefusedLine) -> None:
    typer.echo(f"line {number}: {error}", err=True)


def _format_of(path: Path) -> Format:
    formats: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    found = formats.get(path.suffix.lower())
    if found is None:
        raise typer.BadParameter(
            "the name does not show the format: add --format csv or --format jsonl", param_hint="FILE"
        )
    return found
