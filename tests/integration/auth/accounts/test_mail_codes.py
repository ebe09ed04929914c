"""Log in with a code of six digits from a mail, on the device that asked for it."""

import asyncio
import re
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import delete, event, func, select, update

from services.auth.accounts.mail_codes import LIFETIME, MAX_ATTEMPTS
from services.auth.accounts.mail_limits import REFILL, WRONG_CODE_REFILL, WRONG_CODES
from services.auth.accounts.models import MailBucket, MailCode
from services.auth.db import db_sessions, engine
from services.auth.mail import waiting
from services.auth.models import Account
from services.auth.settings import settings
from services.auth.worker import prune
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import AuthClient
from tests.fixtures.mail import send_due, stored_mails

EMAIL = "ada@example.com"
REQUEST = "/auth/email/code"
GRANT = "urn:shop:grant-type:mail-code"


async def request_code(auth: AuthClient, mail_server: MailServer, email: str = EMAIL) -> tuple[str, str]:
    """Ask for a code. Return the challenge and the code in the mail."""
    answer = await auth.http.post(REQUEST, json={"email": email})
    assert (answer.status_code, answer.json()["expires_in"]) == (202, 600)
    await send_due()
    found = re.search(r"^\d{6}\r?$", mail_server.mails[-1].text, re.MULTILINE)
    assert found is not None
    return answer.json()["challenge"], found.group().strip()


async def log_in(auth: AuthClient, challenge: str, code: str, **form: str) -> httpx.Response:
    return await auth.token(GRANT, challenge=challenge, code=code, **form)


def other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_log_in_with_the_code_of_the_mail_works_once_and_verifies_the_address(
    auth: AuthClient, mail_server: MailServer
) -> None:
    account = (await auth.register(EMAIL)).json()
    challenge, code = await request_code(auth, mail_server)
    answers = await asyncio.gather(*(log_in(auth, challenge, f" {code} ") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 4
    tokens = next(answer.json() for answer in answers if answer.status_code == 200)
    me = (await auth.me(tokens["access_token"])).json()
    assert (me["id"], me["email_verified"]) == (account["id"], True)
    assert (await auth.refresh(tokens["refresh_token"])).status_code == 200
    assert tokens["device_token"]


async def test_code_when_guessed_too_often_is_not_valid_any_more(auth: AuthClient, mail_server: MailServer) -> None:
    await auth.register(EMAIL)
    challenge, code = await request_code(auth, mail_server)
    wrong = await asyncio.gather(*(log_in(auth, challenge, other(code)) for _ in range(MAX_ATTEMPTS)))
    assert {(answer.status_code, answer.json()["error"]) for answer in wrong} == {(400, "invalid_grant")}
    last = await log_in(auth, challenge, code)
    assert last.json() == wrong[0].json()
    challenge, code = await request_code(auth, mail_server)
    for _ in range(MAX_ATTEMPTS - 1):
        await log_in(auth, challenge, other(code))
    assert (await log_in(auth, challenge, code)).status_code == 200


async def test_code_when_there_were_too_many_wrong_ones_for_the_address_is_refused_until_one_is_allowed_again(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    for _ in range(WRONG_CODES // MAX_ATTEMPTS):
        challenge, code = await request_code(auth, mail_server)
        for _ in range(MAX_ATTEMPTS):
            await log_in(auth, challenge, other(code))
    async with db_sessions.begin() as session:  # keep only the bucket of wrong codes, which needs longer
        await session.execute(delete(MailBucket).where(MailBucket.full_at < func.now() + WRONG_CODES * REFILL))
    challenge, code = await request_code(auth, mail_server)
    assert (await log_in(auth, challenge, code)).json()["error"] == "invalid_grant"
    assert (await auth.login(EMAIL)).status_code == 200
    async with db_sessions.begin() as session:
        await session.execute(update(MailBucket).values(full_at=MailBucket.full_at - WRONG_CODE_REFILL))
    assert (await log_in(auth, challenge, code)).status_code == 200
    challenge, code = await request_code(auth, mail_server)
    assert (await log_in(auth, challenge, code)).status_code == 200, "a correct code does not count"


async def test_code_when_the_account_has_a_staff_role_is_neither_sent_nor_valid(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    challenge, code = await request_code(auth, mail_server)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role="support"))
    assert (await log_in(auth, challenge, code)).json()["error"] == "invalid_grant"
    sent = len(mail_server.mails)
    assert (await auth.http.post(REQUEST, json={"email": EMAIL})).status_code == 202
    await send_due()
    assert len(mail_server.mails) == sent


async def test_code_when_used_with_another_challenge_or_too_late_is_refused(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    challenge, code = await request_code(auth, mail_server)
    other_device, _ = await request_code(auth, mail_server)
    assert (await log_in(auth, other_device, code)).status_code == 400
    assert (await log_in(auth, "x" * 43, code)).status_code == 400
    async with db_sessions.begin() as session:
        row = (await session.scalars(select(MailCode).limit(1))).one()
        assert row.expires_at - row.created_at == LIFETIME
        await session.execute(update(MailCode).values(expires_at=datetime.now(UTC)))
    assert (await log_in(auth, challenge, code)).status_code == 400
    async with db_sessions.begin() as session:
        await prune(session)
        assert (await session.scalars(select(MailCode))).first() is None


async def test_request_when_the_address_is_unknown_gets_an_answer_of_the_same_form_after_the_same_statements(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    await send_due()
    statements: list[str] = []

    def record(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    try:
        found = []
        for email in (EMAIL, "nobody@example.com"):
            statements.clear()
            answer = await auth.http.post(REQUEST, json={"email": email})
            requested = list(statements)
            challenge = answer.json()["challenge"]
            await send_due()
            statements.clear()
            wrong = await log_in(auth, challenge, "1234567")  # never right: a code has six digits
            found.append((answer.status_code, len(challenge), requested, wrong.json(), list(statements)))
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", record)
    assert found[0] == found[1]
    assert len(mail_server.mails) == 2
    async with db_sessions() as session:
        rows = (await session.scalars(select(MailCode).order_by(MailCode.created_at))).all()
    assert [(row.code, row.account_id is None) for row in rows] == [(None, False), (None, True)]


async def test_code_is_stored_in_no_readable_form_after_the_mail_was_sent(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL)
    challenge, code = await request_code(auth, mail_server)
    async with db_sessions() as session:
        row = (await session.scalars(select(MailCode))).one()
    for stored in (row.code_digest, row.challenge_digest):
        assert challenge.encode() not in stored
        assert code.encode() not in stored
    assert [mail.secrets for mail in await stored_mails()] == [None, None]


async def test_request_and_log_in_when_incomplete_or_without_mail_are_refused(
    auth: AuthClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for form in ({}, {"challenge": "x"}, {"code": "123456"}):
        answer = await auth.token(GRANT, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    monkeypatch.setattr(waiting, "settings", settings.model_copy(update={"auth_smtp_url": None}))
    answer = await auth.http.post(REQUEST, json={"email": EMAIL})
    assert (answer.status_code, answer.json()["code"]) == (404, "mail_not_configured")
