"""AUTH_REGISTRATION=verified: an account is created by the owner of its address, and answers show nothing about others."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import event, func, select, update

from kit.audit.actor import Actor
from services.auth.accounts import routes
from services.auth.accounts.configured import ensure_admin
from services.auth.accounts.models import PendingRegistration
from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions, engine
from services.auth.models import Account
from services.auth.settings import AuthSettings, RegistrationMode, settings
from services.auth.tokens import grants
from services.auth.worker import prune
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.mail import send_due, token_in

EMAIL = "ada@example.com"
OTHER_PASSWORD = "six lamps in the harbour"


@pytest.fixture(autouse=True)
def verified(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = settings.model_copy(update={"auth_registration": RegistrationMode.VERIFIED})
    for module in (routes, grants):
        monkeypatch.setattr(module, "settings", changed)


async def verify(auth: AuthClient, token: str) -> httpx.Response:
    return await auth.http.post("/auth/email/verify", json={"token": token})


async def test_register_creates_the_account_when_the_address_is_confirmed(
    auth: AuthClient, mail_server: MailServer
) -> None:
    answer = await auth.register(EMAIL, name="Ada")
    assert (answer.status_code, answer.json()) == (202, {"status": "mail_sent"})
    assert (await auth.login(EMAIL)).status_code == 400
    await send_due()
    token = token_in(mail_server.mails[0])
    answers = await asyncio.gather(*(verify(auth, token) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [204, 400, 400, 400, 400]
    me = (await auth.http.get("/auth/me", headers=await auth.logged_in(EMAIL))).json()
    assert (me["name"], me["email_verified"]) == ("Ada", True)


async def test_register_when_the_address_is_taken_gets_the_same_answer_after_the_same_statements_and_a_mail(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    await send_due()
    await verify(auth, token_in(mail_server.mails[0]))
    statements: list[str] = []

    def record(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    try:
        found = []
        for email in (EMAIL.upper(), "bola@example.com"):
            statements.clear()
            answer = await auth.register(email, OTHER_PASSWORD)
            headers = {name for name in answer.headers if name not in {"x-request-id", "x-process-time"}}
            found.append((answer.status_code, answer.content, headers, list(statements)))
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", record)
    assert found[0] == found[1]
    await send_due()
    assert {mail.recipients[0]: mail.subject for mail in mail_server.mails[1:]} == {
        EMAIL: "Kwik Mart: you have an account already",
        "bola@example.com": "Kwik Mart: confirm your e-mail address",
    }
    assert [(await auth.login(EMAIL, password)).status_code for password in (PASSWORD, OTHER_PASSWORD)] == [200, 400]


async def test_register_when_two_people_register_an_address_then_the_one_who_confirms_it_has_the_account(
    auth: AuthClient, mail_server: MailServer
) -> None:
    for password in (OTHER_PASSWORD, PASSWORD):
        await auth.register(EMAIL, password)
        await send_due()
    stranger, owner = map(token_in, mail_server.mails)
    assert (await verify(auth, owner)).status_code == 204
    assert (await verify(auth, stranger)).status_code == 400
    assert [(await auth.login(EMAIL, password)).status_code for password in (PASSWORD, OTHER_PASSWORD)] == [200, 400]


async def test_registration_when_not_confirmed_within_a_day_is_deleted(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    await send_due()
    async with db_sessions.begin() as session:
        row = (await session.scalars(select(PendingRegistration))).one()
        assert (row.expires_at - row.created_at).total_seconds() == 24 * 3600
        await session.execute(update(PendingRegistration).values(expires_at=datetime.now(UTC)))
    assert (await verify(auth, token_in(mail_server.mails[0]))).status_code == 400
    async with db_sessions.begin() as session:
        await prune(session)
        assert await session.scalar(select(func.count()).select_from(PendingRegistration)) == 0


async def test_log_in_when_the_address_is_not_verified_is_refused_after_the_right_password_only(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    await send_due()
    await verify(auth, token_in(mail_server.mails[0]))
    async with db_sessions.begin() as session:
        await session.execute(
            update(Account).values(email_verified_at=None)
        )  # registered before the setting was changed
    right, wrong = await auth.login(EMAIL), await auth.login(EMAIL, "another password")
    assert (right.status_code, right.json()["error"]) == (400, "invalid_grant")
    assert "not verified" in right.json()["error_description"]
    assert "not verified" not in wrong.json()["error_description"]
    await auth.http.post("/auth/email/verification-mail", json={"email": EMAIL})
    await send_due()
    await verify(auth, token_in(mail_server.mails[-1]))
    assert (await auth.login(EMAIL)).status_code == 200


async def test_administrator_of_the_environment_has_a_verified_address(
    auth: AuthClient, hasher: PasswordHasher
) -> None:
    assert settings.auth_admin_email is not None
    assert settings.auth_admin_password is not None
    password = settings.auth_admin_password.get_secret_value()
    await ensure_admin(db_sessions, hasher, settings, Actor(id="operator:ada"))
    assert (await auth.login(settings.auth_admin_email, password)).status_code == 200


def test_setting_verified_without_a_mail_server_is_refused() -> None:
    with pytest.raises(ValueError, match="AUTH_REGISTRATION is verified, which needs mail"):
        AuthSettings(auth_registration=RegistrationMode.VERIFIED, auth_smtp_url=None)
