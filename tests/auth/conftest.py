from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from dev.servers.postgres import Postgres
from services.auth import keys
from services.auth.app import app
from services.auth.db import sessions
from services.auth.settings import settings
from tests.fixtures.apps import running

PASSWORD = "a gate of nine hinges"


class Shop:
    """A client of auth, as an app on somebody's phone would be one."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def register(self, email: str | None = None, password: str = PASSWORD, **more: Any) -> httpx.Response:
        body = {"email": email or f"{uuid4()}@example.com", "password": password, **more}
        return await self.http.post("/auth/users", json=body)

    async def token(self, grant_type: str, **form: str) -> httpx.Response:
        return await self.http.post("/auth/token", data={"grant_type": grant_type, **form})

    async def login(self, email: str, password: str = PASSWORD, **form: str) -> httpx.Response:
        return await self.token("password", username=email, password=password, **form)

    async def refresh(self, refresh_token: str, **form: str) -> httpx.Response:
        return await self.token("refresh_token", refresh_token=refresh_token, **form)

    async def me(self, access_token: str) -> httpx.Response:
        return await self.http.get("/auth/me", headers={"Authorization": f"Bearer {access_token}"})


@pytest.fixture(scope="session")
async def shop(postgres: Postgres) -> AsyncIterator[Shop]:
    keys.make_first(settings.auth_keys_dir, "rsa")
    async with running(app) as found, found.client("http://test") as http:
        yield Shop(http)


@pytest.fixture(autouse=True)
async def empty(shop: Shop) -> AsyncIterator[None]:
    yield
    async with sessions.begin() as session:
        await session.execute(text("TRUNCATE accounts, refresh_families, clients, failed_logins"))


@pytest.fixture
async def email(shop: Shop) -> str:
    """The address of somebody who has registered with PASSWORD."""
    answer = await shop.register()
    assert answer.status_code == 201, answer.text
    address: str = answer.json()["email"]
    return address
