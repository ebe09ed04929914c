"""The engines of the auth database, and the database session of a request.

In auth, a session is what begins with a login, so a database session is `db`, and a factory of them is `db_sessions`.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.engine import create_engine, create_sessionmaker
from kit.db.reading import create_reading_engine, create_reading_sessionmaker
from services.auth.settings import settings

engine = create_engine(settings.auth_database_url, name="auth", connections=settings.database_connections)
db_sessions = create_sessionmaker(engine)
reading_engine = create_reading_engine(
    settings.auth_database_url, name="auth", connections=settings.database_reading_connections
)
reading_db_sessions = create_reading_sessionmaker(reading_engine)


async def transaction() -> AsyncIterator[AsyncSession]:
    """Yield the database session of the request's transaction. Commit it afterwards, or roll it back after an error."""
    async with db_sessions.begin() as db:
        yield db


DatabaseTransaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
"""The transaction of the request. With scope="function" it is committed before the response is sent; with FastAPI's default, after it."""


async def reading() -> AsyncIterator[AsyncSession]:
    """Yield a database session that reads without a transaction."""
    async with reading_db_sessions() as db:
        yield db


Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
"""The database session of a GET request (kit/db/reading.py). Its connection is free again before the response is sent."""
