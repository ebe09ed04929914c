"""A running app of auth with an empty database, and a client of it."""

from collections.abc import AsyncIterator
from typing import cast

import pytest

from dev.servers.postgres import Postgres
from kit.audit.actor import Actor
from services.auth.accounts.configured import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions
from services.auth.keys.key_ring import KeyRing
from services.auth.settings import settings
from services.auth.throttling.remembered_refusals import RememberedRefusals
from tests.fixtures.apps import RunningApp
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_app import auth_client, empty_auth_tables, running_auth
from tests.fixtures.mail import mail_server

__all__ = ["mail_server"]


@pytest.fixture(scope="session")
async def auth_app(postgres: Postgres) -> AsyncIterator[RunningApp]:
    async with running_auth() as running_app:
        yield running_app


@pytest.fixture(scope="session")
async def auth(auth_app: RunningApp) -> AsyncIterator[AuthClient]:
    async with auth_client(auth_app) as client:
        yield client


@pytest.fixture(scope="session")
def key_ring(auth_app: RunningApp) -> KeyRing:
    return cast(KeyRing, auth_app.state["key_ring"])


@pytest.fixture(scope="session")
def hasher(auth_app: RunningApp) -> PasswordHasher:
    return cast(PasswordHasher, auth_app.state["password_hasher"])


@pytest.fixture(scope="session")
def refusals(auth_app: RunningApp) -> RememberedRefusals:
    return cast(RememberedRefusals, auth_app.state["remembered_refusals"])


@pytest.fixture(autouse=True)
async def nothing_stored(auth: AuthClient, refusals: RememberedRefusals) -> None:
    """Delete every row before each test, and what the process remembers."""
    await empty_auth_tables()
    refusals.clear()


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
    await ensure_admin(db_sessions, hasher, settings, Actor(id="operator:ada", address="desk"))
    tokens = await auth.login(settings.auth_admin_email, settings.auth_admin_password.get_secret_value())
    return {"Authorization": f"Bearer {tokens.json()['access_token']}"}
