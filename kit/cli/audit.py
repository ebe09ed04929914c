"""The operator's command `audit list`: the acts of operators and administrators."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.audit.entries import AuditEntry, AuditFilter, list_entries
from kit.audit.schemas import AuditEntryView
from kit.cli.app import run_command
from kit.cli.text import printable
from kit.cli.times import check_period, parse_time
from kit.db.engine import create_sessionmaker


def audit_cli(service: str, entries: type[AuditEntry], engine: AsyncEngine) -> typer.Typer:
    """Return the commands of the audit log of a service."""
    cli = typer.Typer(help="Read the audit log: the acts of operators and administrators.", no_args_is_help=True)
    sessions = create_sessionmaker(engine)

    async def read(selected: AuditFilter, limit: int) -> list[AuditEntryView]:
        async with sessions() as session:
            found = await list_entries(session, entries, selected, limit)
            return [AuditEntryView.model_validate(entry) for entry in found]

    @cli.callback()
    def group() -> None:
        """Keep `list` a subcommand: without a callback, typer makes a single command the whole program."""

    @cli.command(name="list")
    def list_audit_entries(
        actor: Annotated[
            str | None, typer.Option("--actor", help="Only acts of this account, client or `operator:<user>`.")
        ] = None,
        act: Annotated[
            str | None, typer.Option("--act", help="Only acts of this kind, such as payment.accepted.")
        ] = None,
        subject: Annotated[
            str | None, typer.Option("--subject", help="Only acts on this subject, such as a payment's reference.")
        ] = None,
        since: Annotated[
            datetime | None,
            typer.Option(
                "--from", parser=parse_time, metavar="TIME", help="Start of the period, such as 2026-11-23 or 2h."
            ),
        ] = None,
        until: Annotated[
            datetime | None,
            typer.Option("--to", parser=parse_time, metavar="TIME", help="End of the period. Default: now."),
        ] = None,
        limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of entries.")] = 50,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """List acts, newest first. --from and --to select by the time of the act."""
        check_period(since, until)
        selected = AuditFilter(actor=actor, act=act, subject=subject, since=since, until=until)
        views = run_command(service, engine, lambda: read(selected, limit))
        if as_json:
            typer.echo(json.dumps([view.model_dump(mode="json") for view in views], ensure_ascii=False, indent=2))
        elif not views:
            typer.echo("No audit entries match.")
        else:
            typer.echo("\n\n".join(map(_paragraph, views)))

    return cli


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
