"""One relay is active at a time; another takes over when it stops or loses its session."""

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.events import PaymentSucceeded
from dev.servers.postgres import Postgres
from kit.db.engine import create_engine
from kit.messaging import relay as relay_module
from kit.messaging.notifier import Notifier
from tests.fixtures.kit_messaging import Broker, Sessions, left, make_event, put
from tests.fixtures.kit_relay import relay
from tests.fixtures.loops import living, until


async def holders(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        found = await connection.execute(
            text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND granted"),
            {"lock": relay_module.LOCK},
        )
        return list(found.scalars())


async def test_a_standby_relay_takes_over(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, postgres: Postgres, notifier: Notifier
) -> None:
    other = create_engine(SecretStr(postgres.owner_url("kit")), name="kit")

    async def one_holds() -> bool:
        return len(await holders(engine)) == 1

    try:
        async with living(relay(other, broker, notifier).run):
            async with living(relay(engine, broker, notifier).run):
                await until(one_holds)
                await put(sessions, *(make_event(number) for number in range(50)))
                await until(left(sessions))
            await put(sessions, *(make_event(number) for number in range(50, 100)))
            await until(left(sessions))
            assert await one_holds()
    finally:
        await other.dispose()
    messages = await broker.take(100)
    assert [PaymentSucceeded.model_validate_json(message.body).data.amount for message in messages] == list(range(100))
    assert await holders(engine) == []


async def test_a_relay_whose_session_is_killed_loses_its_lock(
    engine: AsyncEngine, sessions: Sessions, broker: Broker, notifier: Notifier
) -> None:
    first, second = relay(engine, broker, notifier), relay(engine, broker, notifier)
    async with living(first.run, second.run):
        for number in range(3):
            await put(sessions, make_event(number))
            notifier.wake_local("outbox")
            await until(left(sessions))
            async with engine.connect() as connection:
                for pid in await holders(engine):
                    await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await put(sessions, make_event(3))
        await until(left(sessions))
    numbers = [PaymentSucceeded.model_validate_json(message.body).data.amount for message in await broker.take(4)]
    assert numbers == [0, 1, 2, 3]
