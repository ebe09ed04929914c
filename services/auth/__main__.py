"""python -m services.auth serve | worker | migrate | keys | admin | client"""

import asyncio
from typing import Annotated, get_args

import typer

from contracts.tokens import Scope
from kit.cli.app import service_cli
from services.auth import admin, clients, keys
from services.auth.db import engine, sessions
from services.auth.settings import settings
from services.auth.worker import work

cli = service_cli(
    "services.auth", settings, port=settings.auth_port, database_url=settings.auth_database_url, worker=work
)

KEY_SPARE_SECONDS = 600


@cli.callback()
def before(context: typer.Context) -> None:
    """The auth service."""
    if context.invoked_subcommand == "serve":
        try:
            keys.read(settings.auth_keys_dir)
        except keys.KeysUnusable as error:
            raise SystemExit(f"cannot start: {error}") from error


@cli.command(name="keys")
def signing_keys(
    rotate: Annotated[bool, typer.Option("--rotate", help="One more, which signs from now on")] = False,
    kind: Annotated[keys.Kind, typer.Option("--type", help="What it is: RS256, ES256 or EdDSA")] = "rsa",
) -> None:
    """Make a signing key in AUTH_KEYS_DIR if there is none. Keys that no living token needs are removed at a rotation."""
    folder = settings.auth_keys_dir
    try:
        made = keys.rotate(folder, kind) if rotate else keys.make_first(folder, kind)
        longest = settings.auth_access_token_seconds + settings.auth_key_activation_seconds + KEY_SPARE_SECONDS
        removed = keys.retire(folder, longest) if rotate else []
    except (keys.KeysUnusable, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="AUTH_KEYS_DIR") from error
    typer.echo(f"made {made}" if made else f"{folder} has a signing key")
    for path in removed:
        typer.echo(f"removed {path}")


@cli.command(name="admin")
def make_admin() -> None:
    """Make the admin of AUTH_ADMIN_EMAIL, or give it the password of AUTH_ADMIN_PASSWORD."""
    if settings.auth_admin_email is None:
        raise typer.BadParameter("not set, nor is AUTH_ADMIN_PASSWORD", param_hint="AUTH_ADMIN_EMAIL")

    async def ensure() -> bool:
        try:
            return await admin.ensure()
        finally:
            await engine.dispose()

    typer.echo(f"{settings.auth_admin_email}: {'made, or changed' if asyncio.run(ensure()) else 'as it should be'}")


@cli.command()
def client(
    name: Annotated[str, typer.Argument(help="Its client_id: lower case, digits and -")],
    scope: Annotated[list[str] | None, typer.Option("--scope", help="; ".join(sorted(get_args(Scope))))] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Replace the client of this name")] = False,
) -> None:
    """Make a program's own account, and print its secret, once."""

    async def make() -> str:
        try:
            async with sessions.begin() as session:
                if renew and not await clients.remove(session, name):
                    raise ValueError(f"there is no client {name!r}")
                return await clients.create(session, name, set(scope or []))
        finally:
            await engine.dispose()

    try:
        secret = asyncio.run(make())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(f"client_id={name}\nclient_secret={secret}")


if __name__ == "__main__":
    cli()
