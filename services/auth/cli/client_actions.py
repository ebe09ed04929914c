"""What the commands `client` do. commands.py declares them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.cli.app import run_command
from services.auth.cli.output import Row, print_rows
from services.auth.clients import records
from services.auth.clients.models import ClientSecret
from services.auth.clients.records import ClientRefused, NewSecret
from services.auth.db import db_sessions
from services.auth.models import AuditLogEntry
from services.auth.sessions.models import LoginSession
from services.auth.sessions.revocations import end_sessions, revoke_subject

T = TypeVar("T")
Json = dict[str, object]


def create(client_id: str, scopes: Sequence[str], *, public: bool) -> None:
    """Create a client, and print its secret if it has one."""

    async def work(db: AsyncSession) -> NewSecret | None:
        secret = await records.create(db, client_id, set(scopes), public=public)
        after: Json = {"public": public, "scope": " ".join(sorted(set(scopes)))}
        if secret is not None:
            after["secret_id"] = secret.id
        await _record(db, "client.created", client_id, after=after)
        return secret

    _print_secret(client_id, _run(work))


def list_clients(*, as_json: bool) -> None:
    """Print all clients, one row for each secret, or one row without a secret."""
    rows: list[Row] = []
    for client, secrets in _run(records.list_all):
        about: Row = {
            "client_id": client.id,
            "kind": "public" if client.public else "program",
            "scopes": client.scope.split(),
        }
        rows += [{**about, **_secret_columns(secret)} for secret in secrets] or [{**about, **_secret_columns(None)}]
    print_rows(rows, "There is no client.", as_json=as_json)


def _secret_columns(secret: ClientSecret | None) -> Row:
    return {
        "secret_id": secret.id if secret else None,
        "secret_created_at": secret.created_at if secret else None,
        "secret_last_used_at": secret.last_used_at if secret else None,
    }


def set_scopes(client_id: str, scopes: Sequence[str]) -> None:
    """Replace the scopes of a client, and print them."""

    async def work(db: AsyncSession) -> tuple[str, str]:
        before, after = await records.set_scopes(db, client_id, set(scopes))
        if not set(before.split()) <= set(after.split()):
            await revoke_subject(db, client_id)
        if before != after:
            await _record(db, "client.scopes_changed", client_id, before={"scope": before}, after={"scope": after})
        return before, after

    before, after = _run(work)
    typer.echo(f"{client_id}: {after} (before: {before})")


def remove(client_id: str) -> None:
    """Remove a client."""

    async def work(db: AsyncSession) -> None:
        await records.get_locked(db, client_id)  # no session can be started meanwhile
        await end_sessions(db, LoginSession.client_id == client_id)
        await revoke_subject(db, client_id)
        client = await records.remove(db, client_id)
        before: Json = {"public": client.public, "scope": client.scope}
        await _record(db, "client.removed", client_id, before=before)

    _run(work)
    typer.echo(f"{client_id}: removed")


def add_secret(client_id: str) -> None:
    """Add a secret to a client, and print it."""

    async def work(db: AsyncSession) -> NewSecret:
        secret = await records.add_secret(db, client_id)
        await _record(db, "client.secret_added", client_id, after={"secret_id": secret.id})
        return secret

    _print_secret(client_id, _run(work))


def remove_secret(client_id: str, secret_id: int, *, revoke_tokens: bool) -> None:
    """Remove a secret of a client, and with `revoke_tokens` also revoke the access tokens that it has."""

    async def work(db: AsyncSession) -> None:
        await records.remove_secret(db, client_id, secret_id)
        if revoke_tokens:
            await revoke_subject(db, client_id)
        after: Json | None = {"tokens": "revoked"} if revoke_tokens else None
        await _record(db, "client.secret_removed", client_id, before={"secret_id": secret_id}, after=after)

    _run(work)
    typer.echo(f"{client_id}: secret {secret_id} removed")


def _print_secret(client_id: str, secret: NewSecret | None) -> None:
    typer.echo(f"client_id={client_id}")
    if secret is not None:
        typer.echo(f"secret_id={secret.id}\nclient_secret={secret.secret}")


async def _record(
    db: AsyncSession, act: str, client_id: str, *, before: Json | None = None, after: Json | None = None
) -> None:
    await audit.record(db, AuditLogEntry, command_actor(), act, client_id, before=before, after=after)


def _run(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Run work in one transaction. Exit with code 2 if it is refused."""

    async def run() -> T:
        async with db_sessions.begin() as db:
            return await work(db)

    try:
        return run_command("services.auth", run)
    except ClientRefused as error:
        raise typer.BadParameter(str(error)) from error
