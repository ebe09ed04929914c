"""The permissions of deploy/rabbitmq/ on a real broker: each service can do what it needs, and each forbidden act is refused."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime

import aio_pika
import pytest
from aiormq.abc import FieldValue
from aiormq.exceptions import ChannelAccessRefused
from pydantic import SecretStr

from contracts.topology import CONSUMED, EXCHANGE, PUBLISHED_TO, Queue
from kit.messaging.broker import connect, declare_queue, exists
from kit.messaging.queue_markers import QueueMarkers
from kit.worker.shutdown import Shutdown
from tests.fixtures.environment import broker_node
from tests.fixtures.forbidden_broker_acts import (
    ALLOWED,
    EVENT_TYPES,
    QUEUES,
    REFUSED,
    Act,
    forbidden_acts,
    needed_acts,
    publish,
    try_acts,
)

USERS = ("auth", "catalog", "payments")
CONSUMERS = [(user, queue) for user, queues in CONSUMED.items() for queue in queues]


async def republish_nothing(_since: datetime, _until: datetime) -> AsyncGenerator[int, None]:
    return
    yield


@pytest.fixture(scope="module")
async def topology(rabbitmq: str) -> AsyncIterator[None]:
    """The queues, each declared with the permissions of its consumer, and the markers with those of its publisher."""
    for user, queue in CONSUMERS:
        async with connect(SecretStr(broker_node.service_url(user)), "consumer") as connection:
            await declare_queue(connection, await connection.channel(), queue)
    for user in USERS:
        async with connect(SecretStr(broker_node.service_url(user)), "relay") as connection:
            markers = QueueMarkers(PUBLISHED_TO[user], republish_nothing)
            await markers.restore(Shutdown(), connection, await connection.channel())
    yield
    async with connect(SecretStr(rabbitmq), "test") as connection:
        channel = await connection.channel()
        for queue in QUEUES:
            await channel.queue_delete(queue.name)
            await channel.queue_delete(queue.dead_letters)


@pytest.mark.usefixtures("topology")
@pytest.mark.parametrize("user", USERS)
async def test_forbidden_act_when_a_service_tries_it_is_refused(user: str) -> None:
    acts = forbidden_acts(user)
    assert await try_acts(broker_node.service_url(user), acts) == dict.fromkeys(acts, REFUSED)


@pytest.mark.usefixtures("topology")
@pytest.mark.parametrize("user", USERS)
async def test_needed_act_when_a_service_tries_it_is_allowed(user: str) -> None:
    acts = needed_acts(user) | {f"publish {name}": publish(EXCHANGE, name) for name in EVENT_TYPES[user]}
    assert await try_acts(broker_node.service_url(user), acts) == dict.fromkeys(acts, ALLOWED)


@pytest.mark.usefixtures("topology")
@pytest.mark.parametrize(("user", "queue"), CONSUMERS, ids=lambda value: getattr(value, "name", value))
async def test_rejected_message_when_its_consumer_has_only_its_own_permissions_becomes_a_dead_letter(
    user: str, queue: Queue
) -> None:
    async with connect(SecretStr(broker_node.url), "test") as administrator:
        channel = await administrator.channel()
        for name in (queue.name, queue.dead_letters):
            await (await channel.get_queue(name)).purge()
        exchange = await channel.get_exchange(EXCHANGE)
        await exchange.publish(aio_pika.Message(b"{"), queue.bindings[-1].replace("*", "x"))
    async with connect(SecretStr(broker_node.service_url(user)), "consumer") as connection:
        channel = await connection.channel()
        message = await (await channel.get_queue(queue.name)).get(timeout=5)
        await message.reject(requeue=False)
        dead_letters = (await channel.get_queue(queue.dead_letters)).iterator(timeout=10)
        async with dead_letters:
            dead = await anext(dead_letters)
            await dead.ack()
    assert dead.body == b"{"


@pytest.mark.parametrize(("user", "own"), CONSUMERS, ids=lambda value: getattr(value, "name", value))
async def test_queue_when_its_dead_letters_would_go_to_another_service_cannot_be_declared(
    rabbitmq: str, user: str, own: Queue
) -> None:
    (other,) = PUBLISHED_TO[user]

    def declare(dead_letter_exchange: str) -> Act:
        arguments: dict[str, FieldValue] = {"x-dead-letter-exchange": dead_letter_exchange}
        return lambda channel: channel.queue_declare(own.name, durable=True, arguments=arguments)

    async with connect(SecretStr(rabbitmq), "test") as administrator:
        await (await administrator.channel()).queue_delete(own.name)
    acts = {name: declare(name) for name in ("", other.dead_letter_exchange, other.marker, "amq.topic")}
    assert await try_acts(broker_node.service_url(user), acts) == dict.fromkeys(acts, REFUSED)


async def test_exchange_when_it_was_deleted_is_created_again_by_payments_only(rabbitmq: str) -> None:
    for user, created in (("catalog", False), ("payments", True)):
        async with connect(SecretStr(rabbitmq), "test") as administrator:
            await (await administrator.channel()).exchange_delete(EXCHANGE)
            async with connect(SecretStr(broker_node.service_url(user)), "consumer") as connection:
                try:
                    await declare_queue(connection, await connection.channel(), CONSUMED[user][0])
                except ChannelAccessRefused:
                    assert not created
            assert await exists(administrator, exchange=EXCHANGE) is created
