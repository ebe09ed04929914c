"""Additional databases on the stack's Postgres server, for the peer and the baseline."""

import sys
from urllib.parse import urlsplit

from dev.servers.postgres import Postgres
from dev.servers.state import State
from dev.stack.stack import Stack


async def create(stack: Stack, *names: str) -> list[str]:
    """Create databases, each with its own role, and return their URLs."""
    port = urlsplit(stack.env["PAYMENTS_DATABASE_URL"]).port
    assert port is not None
    server = Postgres(stack.folder / "postgres", port, State(stack.folder / "state.json"), list(names))
    await server.create_databases()
    return [server.url(name) for name in names]


def command(service: str, subcommand: str) -> list[str]:
    """Return the command line of a service's command."""
    return [sys.executable, "-m", f"services.{service}", subcommand]
