"""What the command `audit list` does: print audit entries."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import typer
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from kit.audit.entries import AuditEntry, AuditFilter, list_entries
from kit.audit.schemas import AuditEntryView
from kit.cli.app import run_command
from kit.cli.lazy import load
from kit.cli.text import printable


def list_acts(package: str, filters: Mapping[str, Any], *, limit: int, as_json: bool) -> None:
    """Print the acts that match all `filters` (the fields of AuditFilter), newest first."""
    selected = AuditFilter(**filters)
    entries: type[AuditEntry] = load(f"{package}.models:AuditLogEntry")
    sessions: async_sessionmaker[AsyncSession] = load(f"{package}.db:sessions")

    async def read() -> list[AuditEntryView]:
        async with sessions() as session:
            found = await list_entries(session, entries, selected, limit)
            return [AuditEntryView.model_validate(entry) for entry in found]

    views = run_command(package, read)
    if as_json:
        typer.echo(json.dumps([view.model_dump(mode="json") for view in views], ensure_ascii=False, indent=2))
    elif not views:
        typer.echo("No audit entries match.")
    else:
        typer.echo("\n\n".join(map(_paragraph, views)))


def _paragraph(view: AuditEntryView) -> str:
    """Return an entry in a few lines that fit into 80 columns, except for long values."""
    time = view.recorded_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    lines = [
        f"{time}  {view.act}  {view.subject}",
        f"  by {view.actor}" + (f" from {view.address}" if view.address else ""),
    ]
    values = {"before": view.before, "after": view.after}
    lines += [
        f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value is not None
    ]
    lines += [f"  {name}: {value}" for name, value in (("reason", view.reason), ("request", view.request_id)) if value]
    return "\n".join(printable(line) for line in lines)
