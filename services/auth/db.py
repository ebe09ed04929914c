"""The engine of the auth database, and the transaction of a request."""

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


Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
"""One transaction for the request. Function scope commits before the response is sent; FastAPI's default scope commits after it."""
