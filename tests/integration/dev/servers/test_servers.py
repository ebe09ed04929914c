"""The private Postgres and RabbitMQ: after a SIGKILL they come back on the same port with the same data."""

import asyncio
import os
import signal
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from dev.process import accounts
from dev.process.console import Console
from dev.process.supervisor import Supervisor
from dev.servers import packages
from dev.servers.postgres import Postgres, is_running_in
from dev.servers.rabbitmq import RabbitMQ
from dev.servers.state import State
from dev.stack.addresses import server_ports
from tests.integration.dev.process.test_supervisor import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a space in its name; for root it is one that Postgres's account cannot enter."""
    folder = tmp_path / "my shop"
    folder.mkdir()
    return folder


async def revive(part: Supervisor) -> None:
    first = part.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: part.ready and part.pid != first, 60)


async def test_postgres_keeps_what_was_committed(folder: Path) -> None:
    state = State(folder / "state.json")
    port = server_ports(state)["postgres"]
    server = Postgres(folder / "postgres", port, state, ["auth", "catalog"])
    program = await server.prepare(Console())
    part = Supervisor(program, Console(), lambda: None)
    try:
        await part.start()
        await server.create_databases()
        await server.create_databases()
        connection = await asyncpg.connect(server.url("auth"))
        await connection.execute("create table kept (word text)")
        await connection.execute("insert into kept values ('safe')")
        assert await connection.fetchval("show fsync") == "on"
        connection.terminate()
        await revive(part)
        connection = await asyncpg.connect(server.url("auth"))
        assert await connection.fetchval("select word from kept") == "safe"
        await connection.close()
        with pytest.raises(asyncpg.PostgresError):
            await asyncpg.connect(server.url("auth").removesuffix("/auth") + "/catalog")
    finally:
        await part.stop()
        data = Path(program.command[2])
        alive = is_running_in(data)
        accounts.remove_relocated(folder / "postgres")
    assert not alive


async def test_rabbitmq_keeps_what_was_confirmed(folder: Path) -> None:
    state = State(folder / "state.json")
    ports = server_ports(state)
    node = RabbitMQ(folder / "rabbitmq", (ports["rabbitmq"], ports["distribution"], ports["epmd"]), state)
    programs = await node.prepare(await packages.rabbitmq_server(Console()))
    mapper, broker = (Supervisor(program, Console(), lambda: None) for program in programs)
    try:
        await mapper.start()
        await broker.start()
        async with await aio_pika.connect(node.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("kept", durable=True)
            message = aio_pika.Message(b"safe", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, "kept", timeout=10)
        await revive(broker)
        async with await aio_pika.connect(node.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("kept", durable=True)
            # The queue answers before it has read all that it kept.
            async with asyncio.timeout(20):
                while (found := await queue.get(timeout=10, fail=False)) is None:  # noqa: ASYNC110 -- nothing rings a bell
                    await asyncio.sleep(0.05)
            assert found.body == b"safe"
            await found.ack()
    finally:
        await broker.stop()
        await mapper.stop()
