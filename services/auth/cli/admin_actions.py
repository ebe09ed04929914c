"""What the commands `admin` do. commands.py declares them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.actor import command_actor
from kit.cli.app import run_command
from services.auth.accounts import roles
from services.auth.accounts.roles import RoleRefused
from services.auth.cli.output import Row, print_rows
from services.auth.db import db_sessions
from services.auth.email_addresses import normalize_email
from services.auth.settings import settings

T = TypeVar("T")


def list_staff(*, as_json: bool) -> None:
    """Print the accounts that have a staff role."""
    accounts = _run(roles.list_accounts_with_staff_role)
    rows: list[Row] = [
        {
            "email": account.email,
            "role": account.role,
            "granted_by": _origin(account.email) if account.role_from_environment else "operator",
            "account_id": str(account.id),
            "registered_at": account.created_at,
        }
        for account in accounts
    ]
    print_rows(rows, "No account has a staff role.", as_json=as_json)


def _origin(email: str | None) -> str:
    return "AUTH_ADMIN_EMAIL" if email == settings.auth_admin_email else "an earlier AUTH_ADMIN_EMAIL"


def grant(email: str, role: str) -> None:
    """Give an account a staff role and print the result."""
    address = _normalize(email)
    changed = _run(lambda db: roles.grant(db, command_actor(), address, role))
    typer.echo(f"{address}: role {role}{'' if changed else ' (as before)'}")


def revoke(email: str) -> None:
    """Make an account a customer's account, end its sessions, and print the result."""
    address = _normalize(email)
    _run(lambda db: roles.revoke(db, command_actor(), address))
    typer.echo(f"{address}: role customer. Its sessions have ended.")


def _normalize(email: str) -> str:
    try:
        return normalize_email(email)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="EMAIL") from error


def _run(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Run work in one transaction. Exit with code 2 if it is refused."""

    async def run() -> T:
        async with db_sessions.begin() as db:
            return await work(db)

    try:
        return run_command("services.auth", run)
    except RoleRefused as error:
        raise typer.BadParameter(str(error)) from error
