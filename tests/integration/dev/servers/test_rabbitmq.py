"""The private RabbitMQ: after a SIGKILL it is back on the same port with the same messages."""

import asyncio
from pathlib import Path

import aio_pika

from dev.process.console import Console
from dev.process.supervisor import Supervisor
from dev.servers import packages
from dev.servers.rabbitmq import RabbitMQ
from dev.servers.state import State
from dev.stack.addresses import server_ports
from tests.integration.dev.conditions import kill_and_wait_restarted


async def test_confirmed_message_when_rabbitmq_is_killed_is_kept(folder: Path) -> None:
    state = State(folder / "state.json")
    ports = server_ports(state)
    node = RabbitMQ(folder / "rabbitmq", (ports["rabbitmq"], ports["distribution"], ports["epmd"]), state)
    programs = await node.prepare(await packages.rabbitmq_server(Console()))
    mapper, broker = (Supervisor(program, Console()) for program in programs)
    try:
        await mapper.start()
        await broker.start()
        async with await aio_pika.connect(node.url) as connection:
            channel = await connection.channel()
            await channel.declare_queue("kept", durable=True)
            message = aio_pika.Message(b"safe", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, "kept", timeout=10)
        await wait_until_queue_is_on_disk(folder / "rabbitmq", b"kept")
        await kill_and_wait_restarted(broker, 60)
        async with await aio_pika.connect(node.url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue("kept")
            # The queue answers before it has read its messages from disk.
            async with asyncio.timeout(20):
                while (found := await queue.get(timeout=10, fail=False)) is None:  # noqa: ASYNC110 -- RabbitMQ sends no signal
                    await asyncio.sleep(0.05)
            assert found.body == b"safe"
            await found.ack()
    finally:
        await broker.stop()
        await mapper.stop()


async def wait_until_queue_is_on_disk(data: Path, name: bytes) -> None:
    """RabbitMQ 3 writes the declaration of a queue to its log up to two seconds later, even if messages in the queue are confirmed."""
    async with asyncio.timeout(20):
        while not is_logged(data, name):  # noqa: ASYNC110 -- RabbitMQ sends no signal
            await asyncio.sleep(0.05)


def is_logged(data: Path, name: bytes) -> bool:
    return any(name in file.read_bytes() for file in data.rglob("LATEST.LOG"))
