"""The owner changes the password, or sets a new one with the token of a mail."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from services.auth.accounts.models import OneTimeToken
from services.auth.db import db_sessions
from services.auth.mail import waiting
from services.auth.models import Account
from services.auth.settings import settings
from services.auth.throttling import devices, failed_logins
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.mail import send_due, token_in

NEW = "six lamps in the harbour"
CHANGE, FORGOT, RESET = "/auth/me/password", "/auth/password/forgot", "/auth/password/reset"
EMAIL = "ada@example.com"


async def reset_token(auth: AuthClient, mail_server: MailServer) -> str:
    """Register EMAIL, ask for a new password, and return the token in the mail."""
    await auth.register(EMAIL)
    await send_due()
    assert (await auth.http.post(FORGOT, json={"email": EMAIL.upper()})).status_code == 202
    await send_due()
    assert "set a new password" in mail_server.mails[-1].subject
    return token_in(mail_server.mails[-1])


async def test_change_password_ends_other_sessions_and_tells_the_owner(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    other, own = (await auth.login(EMAIL)).json(), (await auth.login(EMAIL)).json()
    headers = {"Authorization": f"Bearer {own['access_token']}"}
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await auth.http.post(CHANGE, json=body, headers=headers)).status_code == 204
    assert (await auth.refresh(other["refresh_token"])).status_code == 400
    assert (await auth.me(other["access_token"])).status_code == 401
    assert (await auth.refresh(own["refresh_token"])).status_code == 200
    assert [(await auth.login(EMAIL, password)).status_code for password in (PASSWORD, NEW)] == [400, 200]
    await send_due()
    assert mail_server.mails[-1].subject == "Kwik Mart: your password was changed"


@pytest.mark.parametrize("by_cookie", [False, True])
async def test_change_password_forgets_all_devices_but_the_one_of_the_caller(
    auth: AuthClient, email: str, by_cookie: bool
) -> None:
    other, own = [(await auth.login(email)).json() for _ in range(2)]
    auth.http.cookies.clear()
    headers = {"Authorization": f"Bearer {own['access_token']}"}
    body = {"current_password": PASSWORD, "new_password": NEW}
    if by_cookie:
        headers["Cookie"] = f"device_token={own['device_token']}"
    else:
        body["device_token"] = own["device_token"]
    assert (await auth.http.post(CHANGE, json=body, headers=headers)).status_code == 204
    async with db_sessions() as session:
        known = [await devices.find(session, tokens["device_token"], email) is not None for tokens in (other, own)]
    assert known == [False, True]


async def test_change_password_when_the_current_one_is_wrong_is_refused_and_counted(
    auth: AuthClient, email: str
) -> None:
    headers = await auth.logged_in(email)
    body = {"current_password": "another password", "new_password": NEW}
    answers = [await auth.http.post(CHANGE, json=body, headers=headers) for _ in range(failed_logins.FREE_ATTEMPTS + 1)]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers[:-1]} == {(403, "wrong_password")}
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "too_many_requests")
    assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("password", ["Password123", "ada.lovelace", "KwikMart2026!"])
async def test_new_password_when_easy_is_refused_and_the_token_stays_valid(
    auth: AuthClient, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    from services.auth.accounts import passwords

    monkeypatch.setattr(passwords, "settings", settings.model_copy(update={"auth_shop_name": "Kwik Mart"}))
    token = await reset_token(auth, mail_server)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(name="Ada Lovelace"))
    change = {"current_password": PASSWORD, "new_password": password}
    answers = [
        await auth.http.post(CHANGE, json=change, headers=await auth.logged_in(EMAIL)),
        await auth.http.post(RESET, json={"token": token, "password": password}),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "password_too_easy")}
    assert (await auth.http.post(RESET, json={"token": token, "password": NEW})).status_code == 204


async def test_reset_sets_the_password_once_ends_all_sessions_and_verifies_the_address(
    auth: AuthClient, mail_server: MailServer
) -> None:
    token = await reset_token(auth, mail_server)
    session_before = (await auth.login(EMAIL)).json()
    for _ in range(failed_logins.FREE_ATTEMPTS):
        await auth.login(EMAIL, "another password")
    body = {"token": token, "password": NEW}
    answers = await asyncio.gather(*(auth.http.post(RESET, json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [204, 400, 400, 400, 400]
    assert (await auth.refresh(session_before["refresh_token"])).status_code == 400
    login = await auth.login(EMAIL, NEW)
    assert login.status_code == 200, "the pause after failed logins is over"
    assert (await auth.me(login.json()["access_token"])).json()["email_verified"] is True
    await send_due()
    assert mail_server.mails[-1].subject == "Kwik Mart: your password was changed"


async def test_reset_when_the_token_is_expired_unknown_or_of_another_purpose_is_refused(
    auth: AuthClient, mail_server: MailServer
) -> None:
    token = await reset_token(auth, mail_server)
    verification = token_in(mail_server.mails[0])
    async with db_sessions() as session:
        tokens = (await session.scalars(select(OneTimeToken).order_by(OneTimeToken.created_at))).all()
    assert tokens[-1].expires_at - tokens[-1].created_at == timedelta(minutes=15)
    assert (await auth.http.post("/auth/email/verify", json={"token": token})).status_code == 400
    async with db_sessions.begin() as session:
        of_reset = update(OneTimeToken).where(OneTimeToken.digest == tokens[-1].digest)
        await session.execute(of_reset.values(expires_at=datetime.now(UTC)))
    for refused in (token, verification, "x" * 43):
        answer = await auth.http.post(RESET, json={"token": refused, "password": NEW})
        assert (answer.status_code, answer.json()["code"]) == (400, "token_not_valid")
    assert (await auth.login(EMAIL)).status_code == 200


async def test_reset_when_used_revokes_earlier_tokens_of_the_account(auth: AuthClient, mail_server: MailServer) -> None:
    first = await reset_token(auth, mail_server)
    await auth.http.post(FORGOT, json={"email": EMAIL})
    await send_due()
    second = token_in(mail_server.mails[-1])
    assert (await auth.http.post(RESET, json={"token": second, "password": NEW})).status_code == 204
    answer = await auth.http.post(RESET, json={"token": first, "password": "nine hinges of the gate"})
    assert answer.status_code == 400


async def test_forgot_and_verification_mail_without_a_mail_server_say_so(
    auth: AuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "settings", settings.model_copy(update={"auth_smtp_url": None}))
    for path in (FORGOT, "/auth/email/verification-mail"):
        answer = await auth.http.post(path, json={"email": EMAIL})
        assert (answer.status_code, answer.json()["code"]) == (404, "mail_not_configured")
