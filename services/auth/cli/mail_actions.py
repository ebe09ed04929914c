"""What the commands `mail list` and `mail resend` do."""

import json
from typing import Any
from uuid import UUID

import typer

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.cli.app import run_command
from kit.cli.text import printable
from kit.errors import Problem
from services.auth.db import db_sessions
from services.auth.mail import records
from services.auth.mail.models import Mail, MailStatus
from services.auth.models import AuditLogEntry

PACKAGE = "services.auth"


def list_mails(status: str | None, *, limit: int, as_json: bool) -> None:
    """Print mails, newest first."""

    async def read() -> list[dict[str, Any]]:
        async with db_sessions() as db:
            found = await records.list_mails(db, None if status is None else MailStatus(status), limit)
            return [_view(mail) for mail in found]

    views = run_command(PACKAGE, read)
    if as_json:
        typer.echo(json.dumps(views, ensure_ascii=False, indent=2))
    elif not views:
        typer.echo("No mails match.")
    else:
        typer.echo("\n\n".join(map(_paragraph, views)))


def resend_mail(mail_id: UUID) -> None:
    """Make a mail due now, and record who did it."""

    async def resend() -> None:
        async with db_sessions.begin() as db:
            before = await records.resend(db, mail_id)
            await audit.record(
                db,
                AuditLogEntry,
                command_actor(),
                "mail.resent",
                before.account_id or before.id,
                before={"mail": str(mail_id), "template": before.template, "status": before.status},
            )

    try:
        run_command(PACKAGE, resend)
    except Problem as error:
        raise typer.BadParameter(str(error), param_hint="ID") from error
    typer.echo(f"{mail_id}: will be sent by auth's worker")


def _view(mail: Mail) -> dict[str, Any]:
    return {
        "id": str(mail.id),
        "account_id": None if mail.account_id is None else str(mail.account_id),
        "recipient": mail.recipient,
        "template": mail.template,
        "status": mail.status,
        "attempts": mail.attempts,
        "created_at": mail.created_at.isoformat(),
        "next_attempt_at": None if mail.next_attempt_at is None else mail.next_attempt_at.isoformat(),
        "ended_at": None if mail.ended_at is None else mail.ended_at.isoformat(),
        "error": mail.error,
    }


def _paragraph(view: dict[str, Any]) -> str:
    lines = [
        f"{view['created_at'][:19].replace('T', ' ')}  {view['status']}  {view['template']}",
        f"  to {view['recipient']}",
        f"  id {view['id']}, attempts: {view['attempts']}",
    ]
    lines += [f"  error: {view['error']}"] if view["error"] else []
    return "\n".join(printable(line) for line in lines)
