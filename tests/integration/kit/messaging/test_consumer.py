"""The consumer on a real broker and a real database: every event takes effect once, and none is lost."""

import asyncio

import pytest

from kit.messaging.broker import connect
from tests.fixtures.kit_consumer import Handler, MakeConsumer, body, references, taken
from tests.fixtures.kit_messaging import Broker, Sessions
from tests.fixtures.loops import living, until


async def test_every_event_takes_effect_once(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(*(body(number) for number in range(500)))
        await until(taken(sessions, 500))
    assert sorted(await references(sessions)) == sorted(f"pay-{number}" for number in range(500))
    assert await broker.ready_messages() == 0


async def test_an_event_published_a_thousand_times_takes_effect_once(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    same = body(1)

    async def publish(times: int) -> None:
        async with connect(broker.url, "another") as connection:
            await Broker(broker.url.get_secret_value(), connection, await connection.channel()).publish(*[same] * times)

    async with living(consumer().run, consumer().run):
        await asyncio.gather(*(publish(100) for _ in range(10)))
        await broker.publish(body(2))
        await until(taken(sessions, 2))

        async def all_taken() -> bool:
            return await broker.ready_messages() == 0

        await until(all_taken)
    assert sorted(await references(sessions)) == ["pay-1", "pay-2"]
    assert await broker.ready_messages() == 0


UNREADABLE = [
    b"",
    b"{",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    b"{" * 10_000_000,
    b'{"type":"payment.succeeded"}',
    body(id="not a uuid"),
    body(type="payment.invented"),
    body(specversion="2.0"),
    body(data=None),
    body(time="yesterday"),
    body(subject="s" * 1000),
    body(subject="8b9c3f3e-5f0a-4a44-9d3e-1d9c6c1c2c11"),
    *(
        body().replace(b'"pay-0"', f'"pay{escaped}"'.encode())
        for escaped in ("\\u0000", "\\ud800", "\\udfff", "\\udfff\\ud800")
    ),
]


async def test_unreadable_messages_go_to_the_dead_letters(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1), *UNREADABLE, body(2))
        dead = await broker.take(len(UNREADABLE), broker.queue.dead_letters)
        await until(taken(sessions, 2))
    assert sorted(message.body for message in dead) == sorted(UNREADABLE)


@pytest.mark.parametrize("odd", ["\x00", "a\x00b", "é" * 55, "00-zz-01", ""])
async def test_an_event_with_an_invalid_traceparent_is_processed(
    sessions: Sessions, broker: Broker, handler: Handler, odd: str, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1, traceparent=odd), body(2))
        await until(taken(sessions, 2), 5)


async def test_an_event_with_unknown_fields_is_processed(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run):
        await broker.publish(body(1, comexampleextension=1, sequence="7"))
        await until(taken(sessions, 1))


async def test_an_event_of_a_queue_with_two_consumers_takes_effect_once(
    sessions: Sessions, broker: Broker, handler: Handler, consumer: MakeConsumer
) -> None:
    async with living(consumer().run, consumer().run):
        bodies = [body(number) for number in range(300)]
        await broker.publish(*bodies, *bodies)
        await until(taken(sessions, 300))
    assert sorted(await references(sessions)) == sorted(f"pay-{number}" for number in range(300))
