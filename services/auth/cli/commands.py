"""The command line of auth. account_commands.py declares the commands `account`; the modules *_actions.py implement all of them."""

from typing import Annotated, Literal
from uuid import UUID

import typer

from kit.cli.commands import add_event_commands, service_cli
from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, parse_id
from services.auth.cli.account_commands import account

PACKAGE = "services.auth"
KEYS, ADMINS, CLIENTS = (f"{PACKAGE}.cli.{name}_actions" for name in ("key", "admin", "client"))
cli = service_cli(PACKAGE)
cli.add_typer(account, name="account")
add_event_commands(cli, PACKAGE, republish=f"{PACKAGE}.republish:republish")

keys = create_cli("Create, rotate and list the signing keys in AUTH_KEYS_DIR.")
cli.add_typer(keys, name="keys")

KeyTypeOption = Annotated[
    Literal["rsa", "p256", "ed25519"],
    typer.Option("--type", help="Type of the new key: rsa (RS256), p256 (ES256) or ed25519 (EdDSA)."),
]


@keys.command(name="create")
def create_key(key_type: KeyTypeOption = "rsa") -> None:
    """Create the first signing key, and the key of refresh tokens (refresh-tokens.secret), unless they exist. Needs no database."""
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


admin = create_cli("List, grant and end the roles of administrators and support staff.")
cli.add_typer(admin, name="admin")
Email = Annotated[str, typer.Argument(help="The e-mail address of the account.", metavar="EMAIL")]


@admin.command(name="list")
def list_staff(as_json: AsJson = False) -> None:
    """List the accounts with a staff role (admin or support), and what granted the role."""
    call(f"{ADMINS}:list_staff", as_json=as_json)


@admin.command()
def grant(
    email: Email,
    role: Annotated[str, typer.Option("--role", help="admin or support (reads orders and payments).")] = "admin",
) -> None:
    """Give a registered account a staff role. It takes effect at the next login. If the account loses scopes, its sessions end.

    The administrator that AUTH_ADMIN_EMAIL names needs no command, and cannot get another role: auth creates the account when it starts.
    """
    call(f"{ADMINS}:grant", email, role)


@admin.command()
def revoke(email: Email) -> None:
    """Make an account a customer's account again, and end its sessions: every service refuses its tokens within ten seconds."""
    call(f"{ADMINS}:revoke", email)


client = create_cli(
    "Register and change client applications: programs with secrets, and public clients with which people log in."
)
secret = create_cli("Add and remove the secrets of a program. It can have two at the same time.")
cli.add_typer(client, name="client")
client.add_typer(secret, name="secret")
ClientId = Annotated[
    str, typer.Argument(help="The client_id: at most 30 lower-case letters, digits and -.", metavar="NAME")
]


@client.command(name="create")
def create_client(
    client_id: ClientId,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="Scope, such as orders:read. Repeat the option for several. The error message for an unknown scope lists all scopes.",
        ),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="A public client: an app with which people log in, without a secret.")
    ] = False,
) -> None:
    """Register a client application. Prints the secret of a program, which cannot be shown again.

    A program gets tokens for itself (client_credentials). With --public, tokens of people have at most these scopes.
    """
    call(f"{CLIENTS}:create", client_id, scope or [], public=public)


@client.command(name="list")
def list_clients(as_json: AsJson = False) -> None:
    """List client applications, their scopes, and their secrets: id, creation and last use, exact to an hour."""
    call(f"{CLIENTS}:list_clients", as_json=as_json)


@client.command(name="scopes")
def set_scopes(
    client_id: ClientId,
    scopes: Annotated[
        list[str], typer.Argument(help="All scopes that the client has from now on.", metavar="SCOPE...")
    ],
) -> None:
    """Replace the scopes of a client application.

    If a program loses scopes, every service refuses its present access tokens within ten seconds, and the program requests a new one.
    Tokens of people who use a public client keep their scopes until they expire.
    """
    call(f"{CLIENTS}:set_scopes", client_id, scopes)


@client.command(name="remove")
def remove_client(client_id: ClientId) -> None:
    """Remove a client application and end the sessions that it started: every service refuses its tokens within ten seconds."""
    call(f"{CLIENTS}:remove", client_id)


@secret.command(name="add")
def add_secret(client_id: ClientId) -> None:
    """Add a secret. The old one stays valid until it is removed. Prints the new secret, which cannot be shown again."""
    call(f"{CLIENTS}:add_secret", client_id)


@secret.command(name="remove")
def remove_secret(
    client_id: ClientId,
    secret_id: Annotated[
        int, typer.Argument(help="The id of the secret, as `client list` shows it.", metavar="SECRET_ID")
    ],
    revoke_tokens: Annotated[
        bool,
        typer.Option(
            "--revoke-tokens",
            help="After a leak: every service also refuses the access tokens that the program has, within ten seconds.",
        ),
    ] = False,
) -> None:
    """Remove a secret, which is refused at once."""
    call(f"{CLIENTS}:remove_secret", client_id, secret_id, revoke_tokens=revoke_tokens)


mail = create_cli("List mails to the owners of accounts, and send them again.")
cli.add_typer(mail, name="mail")


@mail.command(name="list")
def list_mails(
    status: Annotated[
        Literal["waiting", "sent", "refused", "failed"] | None,
        typer.Option("--status", help="Only mails with this status."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of mails.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List mails, newest first: recipient, template, status, attempts and the last error. Codes and tokens are not shown.

    Statuses: waiting (is sent soon, or tried again), sent, refused (the mail server refused the recipient), failed (not accepted within a
    day). Sent mails are deleted after a week, the others after a month.
    """
    call("services.auth.cli.mail_actions:list_mails", status, limit=limit, as_json=as_json)


@mail.command()
def resend(
    mail_id: Annotated[
        UUID, typer.Argument(parser=parse_id, help="The id of the mail, as `mail list` prints it.", metavar="ID")
    ],
) -> None:
    """Send a mail now.

    A mail with a code or token can be sent again only while it waits: afterwards its code or token is deleted.
    """
    call("services.auth.cli.mail_actions:resend_mail", mail_id)
