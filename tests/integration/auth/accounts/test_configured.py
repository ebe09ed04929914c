import asyncio

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from contracts.tokens import ADMIN_SCOPES
from kit.audit.actor import Actor
from services.auth.accounts import roles
from services.auth.accounts.configured import Bootstrap, ensure_admin
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions, engine
from services.auth.models import Account
from services.auth.settings import settings
from tests.fakes.mail_server import MailServer
from tests.fixtures.accounts import mark_verified
from tests.fixtures.auth import AuthClient
from tests.fixtures.log_lines import log_lines
from tests.fixtures.mail import send_due, token_in

assert settings.auth_admin_email is not None
assert settings.auth_admin_password is not None
ACTOR = Actor(id="operator:test", address="host")
EMAIL = settings.auth_admin_email
PASSWORD = settings.auth_admin_password.get_secret_value()


async def _stored_hash() -> str | None:
    async with db_sessions() as session:
        return (await session.execute(select(Account.password_hash).where(Account.email == EMAIL))).scalar_one()


async def test_ensure_admin_when_repeated_then_changes_nothing(auth: AuthClient, hasher: PasswordHasher) -> None:
    changes = await asyncio.gather(*(ensure_admin(db_sessions, hasher, settings, ACTOR) for _ in range(3)))
    assert any(changes)
    stored = await _stored_hash()
    assert await ensure_admin(db_sessions, hasher, settings, ACTOR) is False
    assert await _stored_hash() == stored
    assert set((await auth.login(EMAIL, PASSWORD)).json()["scope"].split()) == ADMIN_SCOPES


async def test_ensure_admin_when_the_password_changed_then_old_password_and_tokens_are_invalid(
    auth: AuthClient, hasher: PasswordHasher
) -> None:
    await ensure_admin(db_sessions, hasher, settings, ACTOR)
    old_token = (await auth.login(EMAIL, PASSWORD)).json()["refresh_token"]
    other = SecretStr("another valid password")
    changed = settings.model_copy(update={"auth_admin_password": other})
    assert await ensure_admin(db_sessions, hasher, changed, ACTOR) is True
    assert (await auth.login(EMAIL, PASSWORD)).status_code == 400
    assert (await auth.refresh(old_token)).status_code == 400
    assert (await auth.login(EMAIL, "another valid password")).status_code == 200


async def test_ensure_admin_when_the_address_was_registered_then_takes_the_account_over(
    auth: AuthClient, hasher: PasswordHasher
) -> None:
    await auth.register(EMAIL, "a password of another person")
    taken = (await auth.login(EMAIL, "a password of another person")).json()
    await ensure_admin(db_sessions, hasher, settings, ACTOR)
    assert (await auth.login(EMAIL, "a password of another person")).status_code == 400
    assert (await auth.refresh(taken["refresh_token"])).status_code == 400
    assert (await auth.login(EMAIL, PASSWORD)).status_code == 200


async def test_ensure_admin_when_the_address_was_registered_then_forgets_what_was_requested_for_the_account(
    auth: AuthClient, hasher: PasswordHasher, mail_server: MailServer
) -> None:
    thief, password = "thief@example.com", "a password of another person"
    await auth.register("earlier@example.com", password)
    change = {"email": EMAIL, "password": password}
    await auth.http.post("/auth/me/email", json=change, headers=await auth.logged_in("earlier@example.com", password))
    await send_due()
    await auth.http.post("/auth/email/verify", json={"token": token_in(mail_server.mails[-1])})
    await send_due()
    undo = next(mail for mail in mail_server.mails[::-1] if mail.recipients == ["earlier@example.com"])
    headers = await auth.logged_in(EMAIL, password)
    await auth.http.post("/auth/me/email", json=change | {"email": thief}, headers=headers)
    await send_due()
    assert mail_server.mails[-1].recipients == [thief]
    await auth.http.post("/auth/me/delete", json={"password": password}, headers=headers)
    await ensure_admin(db_sessions, hasher, settings, ACTOR)
    for path, mail in (("verify", mail_server.mails[-1]), ("undo", undo)):
        answer = await auth.http.post(f"/auth/email/{path}", json={"token": token_in(mail)})
        assert (path, answer.status_code) == (path, 400)
    async with db_sessions() as session:
        account = (await session.scalars(select(Account).where(Account.email == EMAIL))).one()
    assert (account.role, account.delete_at) == ("admin", None)


async def test_ensure_admin_when_not_configured_then_creates_nothing(auth: AuthClient, hasher: PasswordHasher) -> None:
    unconfigured = settings.model_copy(update={"auth_admin_email": None, "auth_admin_password": None})
    assert await ensure_admin(db_sessions, hasher, unconfigured, ACTOR) is False
    async with db_sessions() as session:
        assert (await session.scalars(select(Account))).all() == []


async def test_admin_bootstrap_when_the_database_is_unavailable_then_retries(
    auth: AuthClient, hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "refused")

    bootstrap = Bootstrap(db_sessions, hasher, settings, retry_seconds=0.01)
    monkeypatch.setattr(engine.sync_engine.pool, "connect", refuse)
    async with bootstrap.running():
        assert await bootstrap.check() is not None
        monkeypatch.undo()
        async with asyncio.timeout(10):
            while await bootstrap.check() is not None:  # noqa: ASYNC110 -- the bootstrap has no event to wait for
                await asyncio.sleep(0.01)
    assert (await auth.login(EMAIL, PASSWORD)).status_code == 200


async def test_administrators_when_the_environment_names_another_then_readiness_and_log_warn_until_a_command_grants_the_role(
    auth: AuthClient, hasher: PasswordHasher, email: str, caplog: pytest.LogCaptureFixture
) -> None:
    await ensure_admin(db_sessions, hasher, settings, ACTOR)
    changed = settings.model_copy(update={"auth_admin_email": "new@example.com"})
    bootstrap = Bootstrap(db_sessions, hasher, settings)
    async with bootstrap.running():
        assert await bootstrap.check_formerly_configured() is None
    bootstrap = Bootstrap(db_sessions, hasher, changed)
    caplog.clear()
    async with bootstrap.running():
        assert await bootstrap.check() is None, "auth is ready"
        assert "does not name 1 of the administrators" in str(await bootstrap.check_formerly_configured())
    (warning,) = [line for line in log_lines(caplog) if line["level"] == "warning"]
    assert (warning["event"], len(warning["account_ids"])) == (
        "administrators are not named by AUTH_ADMIN_EMAIL any more",
        1,
    )
    async with db_sessions.begin() as session:
        assert await roles.grant(session, ACTOR, EMAIL, "admin") is False
    assert await bootstrap.check_formerly_configured() is None
    await mark_verified(email)
    async with db_sessions.begin() as session:
        await roles.grant(session, ACTOR, email, "admin")
    assert await bootstrap.check_formerly_configured() is None, "granted by a command"


async def test_readiness_of_auth_shows_administrators_that_the_environment_no_longer_names(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        session.add(Account(email="old@example.com", password_hash="-", role="admin", role_from_environment=True))
    async with asyncio.timeout(10):
        while "warnings" not in (ready := await auth.http.get("/readyz")).json():  # noqa: ASYNC110 -- results are kept for a second
            await asyncio.sleep(0.05)
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert "admin list" in ready.json()["warnings"]["administrators"]
