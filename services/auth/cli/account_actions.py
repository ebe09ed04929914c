"""What the commands `account` do, except the import. account_commands.py declares them."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit.actor import command_actor
from kit.cli.app import run_command
from kit.cli.lines import validate_line
from kit.cli.text import printable
from kit.errors import Problem
from services.auth.cli.output import Row, print_rows
from services.auth.db import db_sessions
from services.auth.email_addresses import normalize_email
from services.auth.errors import AccountNotFound
from services.auth.management import acts
from services.auth.management.operators import Operator
from services.auth.management.schemas import ManagedAccountView, check_future
from services.auth.management.search import AccountFilter, AccountStatus, list_accounts
from services.auth.models import Account

T = TypeVar("T")


def list_found(q: str | None, role: str | None, status: str | None, *, limit: int, as_json: bool) -> None:
    """Print accounts, newest first."""
    text = None if q is None else validate_line(q)
    selected = AccountFilter(text, role, None if status is None else AccountStatus(status))
    accounts = _run(lambda db: list_accounts(db, selected, limit))
    rows: list[Row] = [
        {
            "email": account.email,
            "name": account.name,
            "role": account.role,
            "status": "banned" if account.banned else "active",
            "registered_at": account.created_at,
            "account_id": str(account.id),
        }
        for account in accounts
    ]
    print_rows(rows, "No accounts match.", as_json=as_json)


def show(account: str, *, as_json: bool) -> None:
    """Print an account."""

    async def read(db: AsyncSession) -> Account:
        return await acts.get(db, await _find(db, account))

    _print(_run(read), as_json=as_json)


def ban(account: str, reason: str, until: datetime | None) -> None:
    """Ban an account, and print it."""
    if until is not None:
        try:
            check_future(until)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--until") from error

    async def work(db: AsyncSession) -> Account:
        return await acts.ban(db, Operator(command_actor()), await _find(db, account), reason, until)

    _print(_run(work), as_json=False)


def unban(account: str) -> None:
    """End the ban of an account, and print it."""

    async def work(db: AsyncSession) -> Account:
        return await acts.unban(db, Operator(command_actor()), await _find(db, account))

    _print(_run(work), as_json=False)


def end_sessions(account: str) -> None:
    """End all sessions of an account, and print how many ended."""

    async def work(db: AsyncSession) -> int:
        return await acts.end_sessions(db, Operator(command_actor()), await _find(db, account))

    typer.echo(f"sessions ended: {_run(work)}")


async def _find_by_email(db: AsyncSession, address: str) -> UUID | None:
    try:
        email = normalize_email(address)
    except ValueError as error:
        raise ValueError("must be the id or the e-mail address of an account") from error
    found: UUID | None = await db.scalar(select(Account.id).where(Account.email == email))
    return found


async def _find(db: AsyncSession, account: str) -> UUID:
    """Return the id of an account. `account`: its id or its e-mail address. Raises AccountNotFound, ValueError for other texts."""
    try:
        return UUID(account)
    except ValueError:
        found = await _find_by_email(db, account)
    if found is None:
        raise AccountNotFound("There is no account with this e-mail address: `account list` searches.")
    return found


def _print(account: Account, *, as_json: bool) -> None:
    view = ManagedAccountView.of(account).model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(view, ensure_ascii=False, indent=2))
        return
    ban_view = view.pop("ban") or {}
    lines = {**view, "banned_at": ban_view.get("banned_at"), "until": ban_view.get("until")}
    lines["reason"] = ban_view.get("reason")
    for name, value in lines.items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' ')}: {printable(str(value))}")


def _run(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Run work in one transaction. Exit with code 2 if it is refused."""

    async def run() -> T:
        async with db_sessions.begin() as db:
            return await work(db)

    try:
        return run_command("services.auth", run)
    except Problem as error:
        raise typer.BadParameter(error.detail) from error
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="ACCOUNT") from error
