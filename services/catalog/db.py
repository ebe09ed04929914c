"""The engines of the catalog database, and the session of a request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from kit.db.engine import create_engine, create_sessionmaker
from kit.db.reading import create_reading_engine, create_reading_sessionmaker
from services.catalog.settings import settings

SEARCH_CONNECTIONS = 2
"""Searches, and lists with filters, read more than other requests. With connections of their own, they keep none of the others waiting."""

engine = create_engine(settings.catalog_database_url, name="catalog", connections=settings.database_connections)
sessions = create_sessionmaker(engine)
reading_engine = create_reading_engine(
    settings.catalog_database_url, name="catalog", connections=settings.database_reading_connections
)
reading_sessions = create_reading_sessionmaker(reading_engine)
searching_engine = create_reading_engine(
    settings.catalog_database_url, name="catalog-search", connections=SEARCH_CONNECTIONS
)


async def transaction() -> AsyncIterator[AsyncSession]:
    """Yield the session of the request's transaction. Commit it afterwards, or roll it back after an error."""
    async with sessions.begin() as session:
        yield session


DatabaseTransaction = Annotated[AsyncSession, Depends(transaction, scope="function")]
"""The transaction of the request. With scope="function" it is committed before the response is sent; with FastAPI's default, after it."""


async def reading() -> AsyncIterator[AsyncSession]:
    """Yield a session that reads without a transaction."""
    async with reading_sessions() as session:
        yield session


Reading = Annotated[AsyncSession, Depends(reading, scope="function")]
"""The session of a GET request (kit/db/reading.py). Its connection is free again before the response is sent."""
