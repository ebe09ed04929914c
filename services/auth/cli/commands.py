"""The command line of auth. actions.py implements the commands."""

from typing import Annotated, Literal

import typer

from kit.cli.commands import service_cli
from kit.cli.lazy import call

PACKAGE = "services.auth"
ACTIONS = f"{PACKAGE}.cli.actions"
cli = service_cli(PACKAGE)


@cli.command(name="keys")
def signing_keys(
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Create another key, and delete old keys that no valid access token needs"),
    ] = False,
    key_type: Annotated[
        Literal["rsa", "p256", "ed25519"],
        typer.Option("--type", help="Type of the new key: rsa (RS256), p256 (ES256) or ed25519 (EdDSA)"),
    ] = "rsa",
) -> None:
    """Create a signing key, and the secret from which refresh tokens are derived, in AUTH_KEYS_DIR if there is none.

    With --rotate, create another key. It signs after AUTH_KEY_ACTIVATION_SECONDS, without a restart. The command also deletes each old
    key whose access tokens have all expired. The rotation is recorded in the audit log, so it needs the database; the first key does not.
    """
    call(f"{ACTIONS}:create_keys", rotate=rotate, key_type=key_type)


@cli.command()
def admin() -> None:
    """Create the administrator's account from AUTH_ADMIN_EMAIL and AUTH_ADMIN_PASSWORD, or set the password of the existing account."""
    call(f"{ACTIONS}:update_admin")


@cli.command()
def client(
    client_id: Annotated[str, typer.Argument(help="The client_id: lower-case letters, digits and -", metavar="NAME")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="Repeatable, such as orders:read. The error for an unknown scope lists all"),
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Replace the existing client of this name. The old secret stops working")
    ] = False,
) -> None:
    """Create an OAuth client for the grant type client_credentials. Prints the secret, which cannot be shown again."""
    call(f"{ACTIONS}:create_client", client_id, scope or [], renew=renew)
