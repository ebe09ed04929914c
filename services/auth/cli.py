"""The command line of auth."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from sqlalchemy import select

from contracts.tokens import Scope
from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.cli.app import run_command, service_cli
from kit.cli.audit import audit_cli
from services.auth.accounts.admin import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients import records as client_records
from services.auth.db import engine, sessions
from services.auth.keys import key_folder
from services.auth.keys.key_folder import KeysUnusable
from services.auth.keys.signing_keys import KeyType
from services.auth.models import AuditLogEntry
from services.auth.settings import settings

cli = service_cli(
    "services.auth",
    settings,
    database_url=settings.auth_database_url,
    migration_database_url=settings.auth_migration_database_url,
)

RETIREMENT_MARGIN_SECONDS = 600
"""An old key stays published for this long after the last access token that it signed has expired."""


@cli.command(name="keys")
def signing_keys(
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Create another key, and delete old keys that no valid access token needs"),
    ] = False,
    key_type: Annotated[
        KeyType, typer.Option("--type", help="Type of the new key: rsa (RS256), p256 (ES256) or ed25519 (EdDSA)")
    ] = KeyType.RSA,
) -> None:
    """Create a signing key, and the secret from which refresh tokens are derived, in AUTH_KEYS_DIR if there is none.

    With --rotate, create another key. It signs after AUTH_KEY_ACTIVATION_SECONDS, without a restart. The command also deletes each old
    key whose access tokens have all expired. The rotation is recorded in the audit log, so it needs the database; the first key does not.
    """
    folder = settings.auth_keys_dir
    created: Path | None
    retired: list[Path] = []
    try:
        if rotate:
            created, retired = run_command("auth", engine, lambda: _rotate(folder, key_type))
        else:
            created = key_folder.create_first(folder, key_type)
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


@cli.command(name="admin")
def admin() -> None:
    """Create the administrator's account from AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD, or set the password of the existing account."""
    if settings.auth_admin_email is None:
        raise typer.BadParameter("set AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD", param_hint="AUTH_ADMIN_EMAIL")

    async def ensure() -> bool:
        hasher = PasswordHasher.create(settings.auth_password_scheme, settings.auth_bcrypt_rounds)
        return await ensure_admin(sessions, hasher, settings, command_actor())

    changed = run_command("auth", engine, ensure)
    typer.echo(f"{settings.auth_admin_email}: {'created or updated' if changed else 'already up to date'}")


@cli.command()
def client(
    client_id: Annotated[str, typer.Argument(help="The client_id: lower-case letters, digits and -", metavar="NAME")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help=f"Repeatable. One of {', '.join(sorted(get_args(Scope)))}")
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Replace the existing client of this name. The old secret stops working")
    ] = False,
) -> None:
    """Create an OAuth client for the grant type client_credentials. Prints the secret, which cannot be shown again."""

    async def create() -> str:
        async with sessions.begin() as session:
            old = await client_records.delete(session, client_id) if renew else None
            if renew and old is None:
                raise client_records.ClientRefused(f"there is no client {client_id!r}")
            secret = await client_records.create(session, client_id, set(scope or []))
            before = None if old is None else {"scope": old.scope}
            after = {"scope": " ".join(sorted(scope or []))}
            act = "client.renewed" if renew else "client.created"
            await audit.record(session, AuditLogEntry, command_actor(), act, client_id, before=before, after=after)
            return secret

    try:
        secret = run_command("auth", engine, create)
    except client_records.ClientRefused as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"client_id={client_id}\nclient_secret={secret}")


cli.add_typer(audit_cli("auth", AuditLogEntry, engine), name="audit")
