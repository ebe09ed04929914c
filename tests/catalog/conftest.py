"""catalog under test: its app in this process, on a real Postgres."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from kit.auth import JwksCache
from services.catalog.app import app
from services.catalog.db import engine, sessions
from services.catalog.identity import identity
from services.catalog.models import Base
from tests.catalog.shop import Headers
from tests.conftest import ADMIN, Signer


@pytest.fixture(scope="session", autouse=True)
async def prepared(postgres: object, signer: Signer) -> AsyncIterator[None]:
    identity.keys = JwksCache(signer.jwks)
    yield
    await engine.dispose()


@pytest.fixture(autouse=True)
async def empty(prepared: None) -> None:
    async with sessions.begin() as session:
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        await session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://catalog.test") as found:
        yield found


@pytest.fixture(scope="session")
def buyer(signer: Signer) -> Headers:
    return signer.headers("buyer-1")


@pytest.fixture(scope="session")
def other(signer: Signer) -> Headers:
    return signer.headers("buyer-2")


@pytest.fixture(scope="session")
def editor(signer: Signer) -> Headers:
    return signer.headers("editor", scopes=ADMIN)
