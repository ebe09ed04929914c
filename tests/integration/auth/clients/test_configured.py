"""The client application of payments is created from the configuration, with a scope and a secret."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from kit.audit.actor import Actor
from services.auth.clients import records
from services.auth.clients.configured import ensure_payments_client
from services.auth.db import db_sessions
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient

START = Actor(id="configuration", address="host")
FIRST, SECOND = SecretStr("the first secret"), SecretStr("the second secret")


async def granted(auth: AuthClient, secret: SecretStr) -> Any:
    """Request a token with a secret. Return its scope, or the error."""
    form = {"grant_type": "client_credentials", "scope": "orders:read"}
    response = await auth.http.post("/auth/token", data=form, auth=("payments", secret.get_secret_value()))
    body = response.json()
    return body["scope"] if response.status_code == 200 else body["error"]


async def test_payments_client_when_its_secret_is_configured_then_it_reads_orders_until_the_secret_changes(
    auth: AuthClient, administrator: dict[str, str]
) -> None:
    assert await ensure_payments_client(db_sessions, None, START) is False
    assert await granted(auth, FIRST) == "invalid_client"
    changed = await asyncio.gather(*(ensure_payments_client(db_sessions, FIRST, START) for _ in range(4)))
    assert sorted(changed) == [False, False, False, True]
    assert await granted(auth, FIRST) == "orders:read"
    assert await ensure_payments_client(db_sessions, SECOND, START) is True
    assert await ensure_payments_client(db_sessions, None, START) is False
    assert (await granted(auth, FIRST), await granted(auth, SECOND)) == ("invalid_client", "orders:read")
    entries = await audit_entries(auth.http, "auth", administrator, subject="payments")
    assert [(entry["act"], entry["actor"]) for entry in entries] == [
        ("client.secret_added", "configuration"),
        ("client.created", "configuration"),
    ]
    assert "secret" not in str(entries).replace("secret_added", "").replace("secret_id", "")


@pytest.mark.parametrize("public", [True, False])
async def test_payments_client_when_an_operator_created_it_before_then_its_scopes_stay(
    auth: AuthClient, public: bool
) -> None:
    async with db_sessions.begin() as session:
        scopes = {"orders:write"} if public else {"orders:read", "payments:read"}
        await records.create(session, "payments", scopes, public=public)
    assert await ensure_payments_client(db_sessions, FIRST, START) == (not public)
    async with db_sessions.begin() as session:
        assert (await records.get_locked(session, "payments")).scopes == scopes
