"""The commands `account`. account_actions.py and import_actions.py implement them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from kit.cli.lazy import call, create_cli
from kit.cli.options import AsJson, Reason
from kit.cli.times import DURATION, UNITS, parse_time

ACCOUNTS = "services.auth.cli.account_actions"
account = create_cli("Find, ban, unban and import accounts, and end their sessions.")
AccountArgument = Annotated[
    str, typer.Argument(help="The id or the e-mail address of the account.", metavar="ACCOUNT", show_default=False)
]


def parse_end(value: str) -> datetime:
    """Parse a time such as 2027-01-01T09:30, or 7d for in seven days (also s, m and h)."""
    duration = DURATION.fullmatch(value)
    try:
        return (
            datetime.now(UTC) + timedelta(**{UNITS[duration[2]]: int(duration[1])}) if duration else parse_time(value)
        )
    except (typer.BadParameter, OverflowError) as error:
        raise typer.BadParameter("use a time such as 2027-01-01T09:30, or 7d for in seven days") from error


@account.command(name="list")
def list_accounts(
    q: Annotated[
        str | None,
        typer.Option(
            "--q", help="The id, the beginning of the e-mail address, or the beginnings of words of the name."
        ),
    ] = None,
    role: Annotated[str | None, typer.Option("--role", help="Only accounts with this role.")] = None,
    status: Annotated[
        Literal["active", "banned"] | None, typer.Option("--status", help="Only accounts with this status.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Maximum number of accounts.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List accounts, newest first."""
    call(f"{ACCOUNTS}:list_found", q, role, status, limit=limit, as_json=as_json)


@account.command()
def show(account: AccountArgument, as_json: AsJson = False) -> None:
    """Show an account: address, name, role and ban."""
    call(f"{ACCOUNTS}:show", account, as_json=as_json)


@account.command()
def ban(
    account: AccountArgument,
    reason: Reason,
    until: Annotated[
        datetime | None,
        typer.Option(
            "--until",
            parser=parse_end,
            metavar="TIME",
            help="When the ban ends by itself, such as 2027-01-01, or 7d for in seven days. Default: it has no end.",
        ),
    ] = None,
) -> None:
    """Refuse logins of an account, and end its sessions: every service refuses its tokens within ten seconds.

    A new ban replaces an earlier one. The account that AUTH_ADMIN_EMAIL names cannot be banned.
    """
    call(f"{ACCOUNTS}:ban", account, reason, until)


@account.command()
def unban(account: AccountArgument) -> None:
    """End the ban of an account. Its owner must log in again."""
    call(f"{ACCOUNTS}:unban", account)


@account.command(name="end-sessions")
def end_sessions(account: AccountArgument) -> None:
    """End all sessions of an account: every service refuses its tokens within ten seconds."""
    call(f"{ACCOUNTS}:end_sessions", account)


@account.command(name="import")
def import_accounts(
    file: Annotated[
        Path, typer.Argument(help="The file, in UTF-8.", metavar="FILE", exists=True, dir_okay=False, readable=True)
    ],
    file_format: Annotated[
        Literal["csv", "jsonl"] | None,
        typer.Option("--format", help="Default: by the ending of the name: .csv, .jsonl or .ndjson."),
    ] = None,
) -> None:
    """Create accounts with the password hashes of another system: CSV with a header, or one JSON object in each line.

    Fields: email, password_hash, name and email_verified (true or false; the last two are optional). Hashes are bcrypt, passlib's
    bcrypt_sha256 or argon2, with limits on their cost. The next login replaces a hash of another scheme than AUTH_PASSWORD_SCHEME.

    Refused lines are printed with their number and the reason; all others are imported. Accounts that exist are not changed, so the
    command can be repeated. Exit code 1: some lines were refused.
    """
    call("services.auth.cli.import_actions:import_file", file, file_format)
