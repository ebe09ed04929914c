"""The command line of auth."""

from typing import Annotated, get_args

import typer

from contracts.tokens import Scope
from kit.cli.app import run_command, service_cli
from services.auth.accounts.admin import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.clients import records as client_records
from services.auth.db import engine, sessions
from services.auth.keys import key_folder
from services.auth.keys.key_folder import KeysUnusable
from services.auth.keys.signing_keys import KeyType
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
    key whose access tokens have all expired.
    """
    folder = settings.auth_keys_dir
    try:
        created = key_folder.rotate(folder, key_type) if rotate else key_folder.create_first(folder, key_type)
        needed_seconds = (
            settings.auth_access_token_seconds + settings.auth_key_activation_seconds + RETIREMENT_MARGIN_SECONDS
        )
        retired = key_folder.retire(folder, needed_seconds) if rotate else []
    except (KeysUnusable, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="AUTH_KEYS_DIR") from error
    typer.echo(f"created {created}" if created else f"{folder} already has a signing key")
    for path in retired:
        typer.echo(f"deleted {path}")


@cli.command(name="admin")
def admin() -> None:
    """Create the administrator's account from AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD, or set the password of the existing account."""
    if settings.auth_admin_email is None:
        raise typer.BadParameter("set AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD", param_hint="AUTH_ADMIN_EMAIL")

    async def ensure() -> bool:
        hasher = PasswordHasher.create(settings.auth_password_scheme, settings.auth_bcrypt_rounds)
        return await ensure_admin(sessions, hasher, settings)

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
            if renew and not await client_records.delete(session, client_id):
                raise client_records.ClientRefused(f"there is no client {client_id!r}")
            return await client_records.create(session, client_id, set(scope or []))

    try:
        secret = run_command("auth", engine, create)
    except client_records.ClientRefused as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"client_id={client_id}\nclient_secret={secret}")
