"""catalog under test: its app in this process, on a real Postgres."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import text

from kit.auth import TokenVerifier
from services.catalog.app import app
from services.catalog.db import sessions
from services.catalog.models import Base
from tests.catalog.shop import Headers
from tests.conftest import ADMIN, ISSUER, Signer
from tests.fixtures.apps import RunningApp, running


@pytest.fixture(scope="session", autouse=True)
async def prepared(postgres: object, signer: Signer) -> AsyncIterator[RunningApp]:
    verifier = TokenVerifier(signer.jwks, issuer=ISSUER, audience="shop")
    async with running(app, verifier=verifier) as found:
        yield found


@pytest.fixture(autouse=True)
async def empty(prepared: RunningApp) -> None:
    async with sessions.begin() as session:
        names = ", ".join(table.name for table in Base.metadata.sorted_tables)
        await session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))


@pytest.fixture
async def client(prepared: RunningApp) -> AsyncIterator[httpx.AsyncClient]:
    async with prepared.client("http://catalog.test") as found:
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
