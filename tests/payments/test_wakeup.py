"""The bell between processes: who rings is heard, whatever the bell is busy with."""

import asyncio

import asyncpg
from sqlalchemy import event

from services.payments.db import engine
from services.payments.settings import settings
from services.payments.wakeup import CHANNEL, Doorbell
from tests.loops import until


async def test_who_rings_while_the_connection_goes_back_is_heard() -> None:
    heard: list[str] = []
    bell = Doorbell(engine, "errands")
    late = [bell]

    def ring(*_: object) -> None:
        if late:
            late.pop().ring()

    async def twice() -> bool:
        return len(heard) == 2

    listener = await asyncpg.connect(settings.payments_database_url.get_secret_value(), timeout=5)
    try:
        await listener.add_listener(CHANNEL, lambda *told: heard.append(told[-1]))
        event.listen(engine.sync_engine, "checkin", ring)
        bell.ring()
        async with asyncio.timeout(5):
            await bell.rung()
        await until(twice)
    finally:
        event.remove(engine.sync_engine, "checkin", ring)
        await listener.close()
    assert heard == ["errands", "errands"]
