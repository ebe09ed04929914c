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
    """Yield the session of the request's transaction. Commit it afterwards, or roll it back after an error."""
    async with sessions.begin() as session:
        yield session


Transaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
"""The transaction of the request. With scope="function" it is committed before the response is sent; with FastAPI's default, after it."""
