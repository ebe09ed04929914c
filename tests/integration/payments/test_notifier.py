"""The notifier of payments wakes jobs of other processes, also when it is asked again while a connection goes back to the pool."""

import asyncio

import asyncpg
from sqlalchemy import event

from services.payments.db import Topic, create_notifier, engine
from services.payments.settings import settings
from tests.fixtures.apps import RunningApp
from tests.fixtures.loops import until


async def test_notify_when_the_connection_goes_back_to_the_pool_is_sent_too(started_payments: RunningApp) -> None:
    received: list[str] = []
    notifier = create_notifier()
    late = [notifier]

    def notify(*_: object) -> None:
        if late:
            late.pop().notify(Topic.REFUNDS)

    async def twice() -> bool:
        return len(received) == 2

    listener = await asyncpg.connect(settings.payments_database_url.get_secret_value(), timeout=5)
    try:
        await listener.add_listener("payments", lambda *args: received.append(str(args[-1])))
        event.listen(engine.sync_engine, "checkin", notify)
        notifier.notify(Topic.REFUNDS)
        async with asyncio.timeout(5):
            await notifier.flush()
        await until(twice)
    finally:
        event.remove(engine.sync_engine, "checkin", notify)
        await listener.close()
    assert received == ["refunds", "refunds"]
