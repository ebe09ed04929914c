"""What the commands of auth do. commands.py declares them."""

from collections.abc import Sequence
from pathlib import Path

import typer
from sqlalchemy import select

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.cli.app import run_command
from services.auth.accounts.admin import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients import records as client_records
from services.auth.db import sessions
from services.auth.keys import key_folder
from services.auth.keys.key_folder import KeysUnusable
from services.auth.keys.signing_keys import KeyType
from services.auth.models import AuditLogEntry
from services.auth.settings import settings

PACKAGE = "services.auth"
RETIREMENT_MARGIN_SECONDS = 600
"""An old key stays published for this long after the last access token that it signed has expired."""


def create_keys(*, rotate: bool, key_type: str) -> None:
    """Create the first signing key, or rotate the keys, and print what changed."""
    folder, kind = settings.auth_keys_dir, KeyType(key_type)
    created: Path | None
    retired: list[Path] = []
    try:
        if rotate:
            created, retired = run_command(PACKAGE, lambda: _rotate(folder, kind))
        else:
            created = key_folder.create_first(folder, kind)
    except (KeysUnusable, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="AUTH_KEYS_DIR") from error
    typer.echo(f"created {created}" if created else f"{folder} already has a signing key")
    for path in retired:
        typer.echo(f"deleted {path}")


async def _rotate(folder: Path, key_type: KeyType) -> tuple[Path, list[Path]]:
    """Create a signing key, delete the keys that are not needed any more, and record both. Without the database, nothing is changed."""
    needed_seconds = (
        settings.auth_access_token_seconds + settings.auth_key_activation_seconds + RETIREMENT_MARGIN_SECONDS
    )
    async with sessions.begin() as session:
        await session.execute(select(1))  # before the files are changed: the database answers
        try:
            created, retired = key_folder.rotate(folder, key_type), key_folder.retire(folder, needed_seconds)
        except OSError as error:
            raise KeysUnusable(f"{folder}: {error.strerror}") from error
        after = {"created": created.name, "deleted": [path.name for path in retired]}
        await audit.record(session, AuditLogEntry, command_actor(), "signing_keys.rotated", folder.name, after=after)
    return created, retired


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
