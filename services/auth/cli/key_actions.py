"""What the commands `keys` do. commands.py declares them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from sqlalchemy import select

from kit.audit import entries as audit
from kit.audit.actor import command_actor
from kit.cli.app import run_command
from services.auth.cli.output import print_rows
from services.auth.db import db_sessions
from services.auth.keys import key_folder
from services.auth.keys.key_folder import KeysUnusable
from services.auth.keys.schedule import KeyState, key_states
from services.auth.keys.signing_keys import KeyType
from services.auth.models import AuditLogEntry
from services.auth.settings import settings

PACKAGE = "services.auth"
Change = Callable[[], tuple[Path, list[Path]]]


def create(*, key_type: str) -> None:
    """Create the first signing key and print its file."""
    folder = settings.auth_keys_dir
    try:
        created = key_folder.create_first(folder, KeyType(key_type))
    except (KeysUnusable, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="AUTH_KEYS_DIR") from error
    typer.echo(f"created {created}" if created else f"{folder} already has a signing key")


def rotate(*, key_type: str, now: bool) -> None:
    """Create another signing key, and print what changed and when the key signs. `now`: delete all other keys."""
    folder, kind, seconds = settings.auth_keys_dir, KeyType(key_type), settings.auth_key_activation_seconds

    def change() -> tuple[Path, list[Path]]:
        return key_folder.replace_all(folder, kind) if now else key_folder.rotate(folder, kind, seconds)

    try:
        created, deleted = run_command(PACKAGE, lambda: _change(folder, change, "replaced" if now else "rotated"))
    except (KeysUnusable, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="AUTH_KEYS_DIR") from error
    typer.echo(f"created {created}")
    for path in deleted:
        typer.echo(f"deleted {path}")
    if now or len(key_folder.list_files(folder)) == 1:
        typer.echo("The new key signs now. Access tokens that another key signed are refused.")
    else:
        typer.echo(f"The new key signs from {_utc(time.time() + seconds):%Y-%m-%d %H:%M:%S} UTC on.")


async def _change(folder: Path, change: Change, act: str) -> tuple[Path, list[Path]]:
    """Change the files and record the change. Without the database, nothing is changed."""
    async with db_sessions.begin() as db:
        await db.execute(select(1))  # fails before the files are changed if the database does not answer
        try:
            created, deleted = change()
        except OSError as error:
            raise KeysUnusable(f"{folder}: {error.strerror}") from error
        after = {"created": created.name, "deleted": [path.name for path in deleted]}
        await audit.record(db, AuditLogEntry, command_actor(), f"signing_keys.{act}", folder.name, after=after)
    return created, deleted


def list_keys(*, as_json: bool) -> None:
    """Print the signing keys, newest first."""
    now, activation = time.time(), settings.auth_key_activation_seconds
    try:
        keys = [(file, key_folder.read_key(file)) for file in key_folder.list_files(settings.auth_keys_dir)]
    except KeysUnusable as error:
        raise typer.BadParameter(str(error), param_hint="AUTH_KEYS_DIR") from error
    states = key_states([file.created_at for file, _ in keys], now, activation)
    rows = [
        {
            "kid": key.kid,
            "state": state,
            "algorithm": key.algorithm,
            "created_at": _utc(file.created_at),
            "age": str(timedelta(seconds=round(now - file.created_at))),
            "signs_from": _utc(file.created_at + activation) if state is KeyState.NEXT else None,
            "file": file.path.name,
        }
        for (file, key), state in zip(keys, states, strict=True)
    ]
    print_rows(rows[::-1], "There is no signing key. Create one with `keys create`.", as_json=as_json)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
