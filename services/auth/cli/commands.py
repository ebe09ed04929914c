"""The command line of auth. key_actions.py, admin_actions.py and client_actions.py implement the commands."""

from typing import Annotated, Literal

import typer

from kit.cli.commands import service_cli
from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson

PACKAGE = "services.auth"
ACTIONS = f"{PACKAGE}.cli.actions"
KEYS = f"{PACKAGE}.cli.key_actions"
cli = service_cli(PACKAGE)

keys = create_cli("Create, rotate and list the signing keys in AUTH_KEYS_DIR.")
cli.add_typer(keys, name="keys")

KeyTypeOption = Annotated[
    Literal["rsa", "p256", "ed25519"],
    typer.Option("--type", help="Type of the new key: rsa (RS256), p256 (ES256) or ed25519 (EdDSA)."),
]


@keys.command(name="create")
def create_key(key_type: KeyTypeOption = "rsa") -> None:
    """Create the first signing key, and the secret from which refresh tokens are derived, if there is none. Needs no database."""
    call(f"{KEYS}:create", key_type=key_type)


@keys.command(name="rotate")
def rotate_keys(
    key_type: KeyTypeOption = "rsa",
    now: Annotated[
        bool,
        typer.Option(
            "--now",
            help="After a leak: the new key signs at once and all other keys are deleted. All access tokens that were issued before are"
            " refused, so every client must use its refresh token or log in again.",
        ),
    ] = False,
) -> None:
    """Create another signing key. It is published at once and signs after AUTH_KEY_ACTIVATION_SECONDS, without a restart.

    The old key stays published until the last token that it signed has expired; the next rotation deletes its file. No token is refused.

    With --now, auth uses the new key within two seconds. Our services refuse the old keys within a minute. Others accept them as long as
    they cache the keys, usually for five minutes, and may refuse tokens of the new key for as long.

    The rotation is recorded in the audit log, so it needs the database.
    """
    call(f"{KEYS}:rotate", key_type=key_type, now=now)


@keys.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """List the signing keys, newest first.

    States: next (published, signs later), signing, retired (published: tokens that it signed may still be valid), expired (not published).
    """
    call(f"{KEYS}:list_keys", as_json=as_json)


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
