"""What the commands of auth do. commands.py declares them."""

from collections.abc import Sequence

import typer

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.cli.app import run_command
from services.auth.accounts.admin import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients import records as client_records
from services.auth.db import sessions
from services.auth.models import AuditLogEntry
from services.auth.settings import settings

PACKAGE = "services.auth"


def update_admin() -> None:
    """Create the administrator's account or set its password, and print what changed."""
    if settings.auth_admin_email is None:
        raise typer.BadParameter("set AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD", param_hint="AUTH_ADMIN_EMAIL")

    async def ensure() -> bool:
        hasher = PasswordHasher.create(settings.auth_password_scheme, settings.auth_bcrypt_rounds)
        return await ensure_admin(sessions, hasher, settings, command_actor())

    changed = run_command(PACKAGE, ensure)
    typer.echo(f"{settings.auth_admin_email}: {'created or updated' if changed else 'already up to date'}")


def create_client(client_id: str, scopes: Sequence[str], *, renew: bool) -> None:
    """Create an OAuth client, and print its secret."""

    async def create() -> str:
        async with sessions.begin() as session:
            old = await client_records.delete(session, client_id) if renew else None
            if renew and old is None:
                raise client_records.ClientRefused(f"there is no client {client_id!r}")
            secret = await client_records.create(session, client_id, set(scopes))
            before = None if old is None else {"scope": old.scope}
            after = {"scope": " ".join(sorted(scopes))}
            act = "client.renewed" if renew else "client.created"
            await audit.record(session, AuditLogEntry, command_actor(), act, client_id, before=before, after=after)
            return secret

    try:
        secret = run_command(PACKAGE, create)
    except client_records.ClientRefused as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"client_id={client_id}\nclient_secret={secret}")
