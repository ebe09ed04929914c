"""Additional databases on the stack's Postgres server: for the peer, the baseline and the large tables."""

import sys
from urllib.parse import urlsplit

from dev.servers.postgres import Postgres
from dev.servers.state import State
from dev.stack.stack import Stack


async def create(stack: Stack, *names: str) -> list[str]:
    """Create databases and return their URLs for the roles that own them."""
    port = urlsplit(stack.env["PAYMENTS_DATABASE_URL"]).port
    assert port is not None
    server = Postgres(stack.folder / "postgres", port, State(stack.folder / "state.json"), list(names))
    await server.create_databases()
    return [server.owner_url(name) for name in names]


def service_command(service: str, command: str) -> list[str]:
    """Return the arguments that start a command of a service, for example `serve` of payments."""
    return [sys.executable, "-m", f"services.{service}", command]
