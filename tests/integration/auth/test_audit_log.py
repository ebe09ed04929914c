"""Accounts of administrators, clients and signing keys: who changed them is recorded, and no secret is."""

import json
from pathlib import Path

import pytest

from kit.audit.actor import Actor
from services.auth.accounts.admin import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import sessions
from services.auth.settings import settings
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_cli import run_auth

ACTOR = Actor(id="operator:ada", address="desk")
assert settings.auth_admin_email is not None
assert settings.auth_admin_password is not None
EMAIL, PASSWORD = settings.auth_admin_email, settings.auth_admin_password.get_secret_value()


@pytest.fixture
async def administrator(auth: AuthClient, hasher: PasswordHasher) -> dict[str, str]:
    """Headers of the administrator, whose creation is the first audit entry."""
    await ensure_admin(sessions, hasher, settings, ACTOR)
    return {"Authorization": f"Bearer {(await auth.login(EMAIL, PASSWORD)).json()['access_token']}"}


async def test_administrator_when_created_and_given_to_a_customers_account_is_recorded(
    auth: AuthClient, hasher: PasswordHasher
) -> None:
    await auth.register(EMAIL)
    await ensure_admin(sessions, hasher, settings, ACTOR)
    await ensure_admin(sessions, hasher, settings, ACTOR)
    headers = {"Authorization": f"Bearer {(await auth.login(EMAIL, PASSWORD)).json()['access_token']}"}
    (entry,) = await audit_entries(auth.http, "auth", headers)
    assert (entry["act"], entry["actor"], entry["address"]) == ("administrator.changed", "operator:ada", "desk")
    assert entry["before"] == {"role": "customer"}
    assert entry["after"] == {"role": "admin", "password": "changed"}


async def test_client_when_created_and_renewed_is_recorded_without_its_secret(
    auth: AuthClient, administrator: dict[str, str]
) -> None:
    assert (await run_auth("client", "reporter", "--scope", "orders:read"))[0] == 0
    code, out = await run_auth("client", "reporter", "--renew", "--scope", "payments:read")
    assert code == 0
    renewed, created = await audit_entries(auth.http, "auth", administrator, subject="reporter")
    assert (created["act"], created["before"], created["after"]) == ("client.created", None, {"scope": "orders:read"})
    assert (renewed["act"], renewed["before"], renewed["after"]) == (
        "client.renewed",
        {"scope": "orders:read"},
        {"scope": "payments:read"},
    )
    assert out.partition("client_secret=")[2].strip() not in json.dumps([renewed, created])


@pytest.mark.parametrize(("option", "act"), [([], "signing_keys.rotated"), (["--now"], "signing_keys.replaced")])
async def test_signing_key_when_rotated_is_recorded(
    auth: AuthClient, administrator: dict[str, str], tmp_path: Path, option: list[str], act: str
) -> None:
    keys = {"AUTH_KEYS_DIR": str(tmp_path)}
    assert (await run_auth("keys", "create", **keys))[0] == 0
    (first,) = tmp_path.glob("*.pem")
    assert (await run_auth("keys", "rotate", *option, **keys))[0] == 0
    (entry,) = await audit_entries(auth.http, "auth", administrator, act=act)
    assert (tmp_path / entry["after"]["created"]).exists()
    assert entry["after"]["deleted"] == ([first.name] if option else [])
    assert entry["actor"].startswith("operator:")
