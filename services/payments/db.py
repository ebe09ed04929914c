"""The engine of the payments database, a request's transaction, and the keys that requests work on."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.engine import create_engine, create_sessionmaker
from kit.idempotency.long_running import LongRunningRequests
from services.payments.models import IdempotencyKey
from services.payments.settings import settings

engine = create_engine(settings.payments_database_url, name="payments")
sessions = create_sessionmaker(engine)
claims = LongRunningRequests(sessions, IdempotencyKey, settings.payments_database_url)


async def transaction() -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as session:
        yield session


# Function scope commits before the answer leaves; FastAPI's default commits after it.
Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
