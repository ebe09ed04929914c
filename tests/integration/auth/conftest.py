"""A running app of auth with an empty database, and a client of it."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
from sqlalchemy import text

from dev.servers.postgres import Postgres
from kit.audit.actor import Actor
from services.auth.accounts.admin import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.app import app
from services.auth.db import sessions
from services.auth.keys import key_folder
from services.auth.keys.key_ring import KeyRing
from services.auth.keys.signing_keys import KeyType
from services.auth.models import Base
from services.auth.settings import settings
from tests.fixtures.apps import RunningApp, running
from tests.fixtures.auth import AuthClient
from tests.fixtures.mail import mail_server
from tests.fixtures.owners import owner_sessions

__all__ = ["mail_server"]


@pytest.fixture(scope="session")
async def auth_app(postgres: Postgres) -> AsyncIterator[RunningApp]:
    key_folder.create_first(settings.auth_keys_dir, KeyType.RSA)
    async with running(app) as running_app:
        yield running_app


@pytest.fixture(scope="session")
async def auth(auth_app: RunningApp) -> AsyncIterator[AuthClient]:
    async with auth_app.client("http://test") as http:
        yield AuthClient(http)


@pytest.fixture(scope="session")
def key_ring(auth_app: RunningApp) -> KeyRing:
    return cast(KeyRing, auth_app.state["key_ring"])


@pytest.fixture(scope="session")
def hasher(auth_app: RunningApp) -> PasswordHasher:
    return cast(PasswordHasher, auth_app.state["password_hasher"])


@pytest.fixture(autouse=True)
async def empty_tables(auth: AuthClient) -> None:
    """Delete every row before each test, also the administrator that the app has created. The rows of the migration stay."""
    names = ", ".join(table.name for table in Base.metadata.sorted_tables if table.name not in {"roles", "clients"})
    async with owner_sessions("auth").begin() as session:
        await session.execute(text("ALTER TABLE audit_log DISABLE TRIGGER append_only"))
        await session.execute(text(f"TRUNCATE {names}"))
        await session.execute(text("DELETE FROM clients WHERE id <> 'shop'"))
        await session.execute(text("ALTER TABLE audit_log ENABLE TRIGGER append_only"))


@pytest.fixture
async def email(auth: AuthClient) -> str:
    """The address of a customer who has registered with PASSWORD."""
    response = await auth.register()
    assert response.status_code == 201, response.text
    address: str = response.json()["email"]
    return address


@pytest.fixture
async def administrator(auth: AuthClient, hasher: PasswordHasher) -> dict[str, str]:
    """Headers of the administrator that AUTH_ADMIN_EMAIL names, whose creation is the first audit entry."""
    assert settings.auth_admin_email is not None
    assert settings.auth_admin_password is not None
    await ensure_admin(sessions, hasher, settings, Actor(id="operator:ada", address="desk"))
    tokens = await auth.login(settings.auth_admin_email, settings.auth_admin_password.get_secret_value())
    return {"Authorization": f"Bearer {tokens.json()['access_token']}"}
