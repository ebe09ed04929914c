"""The kit on a real Postgres and a real RabbitMQ, with tables of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.topology import CATALOG_PAYMENTS, PAYMENTS_ORDERS
from dev.servers.postgres import Postgres
from kit.db.engine import create_engine, create_sessionmaker
from kit.messaging import processor
from kit.messaging.broker import connect
from kit.messaging.notifier import Notifier
from kit.observability.logging import configure_logging
from tests.fixtures.kit_messaging import Broker, Sessions
from tests.fixtures.kit_tables import Base
from tests.fixtures.logging_restored import logging_restored


@pytest.fixture(scope="session")
async def engine(postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(SecretStr(postgres.owner_url("kit")), name="kit")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield engine
    await engine.dispose()


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on empty tables."""
    sessions = create_sessionmaker(engine)
    async with sessions.begin() as session:
        for table in Base.metadata.sorted_tables:
            await session.execute(delete(table))
    return sessions


@pytest.fixture
def notifier(engine: AsyncEngine) -> Notifier:
    return Notifier(engine, "kit")


@pytest.fixture
async def broker(rabbitmq: str) -> AsyncIterator[Broker]:
    async with connect(SecretStr(rabbitmq), "test") as connection:
        channel = await connection.channel()
        # Other tests of this process leave the queues of the services, which would take events that no queue must take here.
        for left in (CATALOG_PAYMENTS, PAYMENTS_ORDERS):
            await channel.queue_delete(left.name)
        broker = Broker(rabbitmq, connection, channel)
        await broker.declare()
        yield broker
        for name in (broker.queue.name, broker.queue.dead_letters):
            await channel.queue_delete(name)


@pytest.fixture
def json_logs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.CaptureFixture[str]]:
    """Log as JSON lines to the captured stdout."""
    monkeypatch.setattr(processor, "log", structlog.get_logger("inbox"))  # a used logger keeps its configuration
    with logging_restored():
        configure_logging("INFO", "json", "kit")
        yield capsys
