"""Further databases on the stack's own Postgres server, for the peer and for the floor."""

import sys
from urllib.parse import urlsplit

from dev.servers.postgres import Postgres
from dev.servers.state import State
from dev.stack.stack import Stack


async def made(stack: Stack, *names: str) -> list[str]:
    """The URL of each, with a role of its own that owns it."""
    port = urlsplit(stack.env["PAYMENTS_DATABASE_URL"]).port
    assert port is not None
    server = Postgres(stack.folder / "postgres", port, State(stack.folder / "state.json"), list(names))
    await server.create_databases()
    return [server.url(name) for name in names]


def command(service: str, verb: str) -> list[str]:
    """A service's own command."""
    return [sys.executable, "-m", f"services.{service}", verb]
