"""Changes of the administrator's account and of the signing keys are recorded."""

from pathlib import Path

import pytest

from kit.audit.actor import Actor
from services.auth.accounts.configured import ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions
from services.auth.keys.key_folder import list_files
from services.auth.settings import settings
from tests.fixtures.audit import audit_entries
from tests.fixtures.auth import AuthClient
from tests.fixtures.auth_cli import run_auth

ACTOR = Actor(id="operator:ada", address="desk")
assert settings.auth_admin_email is not None
assert settings.auth_admin_password is not None
EMAIL, PASSWORD = settings.auth_admin_email, settings.auth_admin_password.get_secret_value()


async def test_account_when_it_becomes_that_of_the_administrator_is_recorded_once(
    auth: AuthClient, hasher: PasswordHasher
) -> None:
    await auth.register(EMAIL)
    await ensure_admin(db_sessions, hasher, settings, ACTOR)
    await ensure_admin(db_sessions, hasher, settings, ACTOR)
    headers = {"Authorization": f"Bearer {(await auth.login(EMAIL, PASSWORD)).json()['access_token']}"}
    (entry,) = await audit_entries(auth.http, "auth", headers)
    assert (entry["act"], entry["actor"], entry["address"]) == ("administrator.changed", "operator:ada", "desk")
    assert entry["before"] == {"role": "customer"}
    assert entry["after"] == {"role": "admin", "password": "changed"}


@pytest.mark.parametrize(("option", "act"), [([], "signing_keys.rotated"), (["--now"], "signing_keys.replaced")])
async def test_signing_key_when_rotated_is_recorded(
    auth: AuthClient, administrator: dict[str, str], tmp_path: Path, option: list[str], act: str
) -> None:
    keys = {"AUTH_KEYS_DIR": str(tmp_path)}
    assert (await run_auth("keys", "create", **keys))[0] == 0
    (first,) = list_files(tmp_path)
    assert (await run_auth("keys", "rotate", *option, **keys))[0] == 0
    (entry,) = await audit_entries(auth.http, "auth", administrator, act=act)
    assert (tmp_path / entry["after"]["created"]).exists()
    assert entry["after"]["deleted"] == ([first.path.name] if option else [])
    assert entry["actor"].startswith("operator:")
