"""Register client applications with the command of auth, as an operator does."""

import asyncio
import os
import re
import sys
from tempfile import TemporaryDirectory

from dev import PROJECT
from dev.cli.calls import PurchaseFailed

COMMAND_SECONDS = 60.0
SECRET = re.compile(r"^client_secret=(\S+)$", re.MULTILINE)


async def create_program(auth_url: str, database_url: str, client_id: str, *scopes: str) -> str:
    """Create a program with these scopes and return its secret. Raises PurchaseFailed."""
    options = [option for scope in scopes for option in ("--scope", scope)]
    out = await _client_command(auth_url, database_url, "create", client_id, *options)
    found = SECRET.search(out)
    if found is None:
        raise PurchaseFailed("`client create` printed no secret")
    return found[1]


async def remove_program(auth_url: str, database_url: str, client_id: str) -> None:
    """Remove a program and revoke its tokens. Raises PurchaseFailed."""
    await _client_command(auth_url, database_url, "remove", client_id)


async def _client_command(auth_url: str, database_url: str, *arguments: str) -> str:
    """Run `python -m services.auth client …` and return its output. The command needs no signing keys, so their folder is empty."""
    with TemporaryDirectory() as keys:
        settings = {"AUTH_DATABASE_URL": database_url, "TOKEN_ISSUER": auth_url, "AUTH_KEYS_DIR": keys}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.auth", "client", *arguments),
            cwd=PROJECT,
            env={**os.environ, **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise PurchaseFailed(f"`client {arguments[0]}` has not ended after {COMMAND_SECONDS:.0f} s") from error
    if process.returncode != 0:
        raise PurchaseFailed(f"`client {arguments[0]}` failed: {out.decode(errors='replace')[-500:]}")
    return out.decode()
