"""The engine of the auth database, and a request's transaction."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.engine import create_engine, create_sessionmaker
from services.auth.settings import settings

engine = create_engine(settings.auth_database_url, name="auth")
sessions = create_sessionmaker(engine)


async def transaction() -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as session:
        yield session


# Function scope commits before the answer leaves; FastAPI's default commits after it.
Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
