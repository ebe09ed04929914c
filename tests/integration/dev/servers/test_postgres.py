"""The private Postgres: after a SIGKILL it is back on the same port with the same data."""

from pathlib import Path

import asyncpg
import pytest

from dev.process import system_users
from dev.process.console import Console
from dev.process.supervisor import Supervisor
from dev.servers.postgres import Postgres, is_running_in
from dev.servers.state import State
from dev.stack.addresses import server_ports
from tests.integration.dev.conditions import kill_and_wait_restarted


async def test_committed_rows_when_postgres_is_killed_are_kept(folder: Path) -> None:
    state = State(folder / "state.json")
    port = server_ports(state)["postgres"]
    server = Postgres(folder / "postgres", port, state, ["auth", "catalog"])
    program = await server.prepare(Console())
    supervisor = Supervisor(program, Console())
    try:
        await supervisor.start()
        await server.create_databases()
        await server.create_databases()
        connection = await asyncpg.connect(server.owner_url("auth"))
        await connection.execute("create table kept (word text)")
        await connection.execute("insert into kept values ('safe')")
        assert await connection.fetchval("show fsync") == "on"
        connection.terminate()
        await kill_and_wait_restarted(supervisor, 60)
        connection = await asyncpg.connect(server.owner_url("auth"))
        assert await connection.fetchval("select word from kept") == "safe"
        await connection.close()
        for url in (server.url("auth"), server.owner_url("auth")):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(url.removesuffix("/auth") + "/catalog")
    finally:
        await supervisor.stop()
        data = Path(program.command[2])
        running = is_running_in(data)
        system_users.remove_relocated_folder(folder / "postgres")
    assert not running
