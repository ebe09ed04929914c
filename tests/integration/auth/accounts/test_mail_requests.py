"""Requests for mails show nothing about accounts, and nobody can flood an address."""

import pytest
from sqlalchemy import event, func, select, update

from services.auth.accounts.mail_limits import CAPACITY, CHANGE_REFILL, REFILL
from services.auth.accounts.models import MailBucket, MailRequest
from services.auth.db import db_sessions, engine
from services.auth.models import Account
from services.auth.worker import prune
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.mail import send_due, token_in

PATHS = ("/auth/password/forgot", "/auth/email/verification-mail")


@pytest.mark.parametrize("path", PATHS)
async def test_request_when_the_address_is_unknown_gets_the_same_answer_after_the_same_statements(
    auth: AuthClient, mail_server: MailServer, path: str
) -> None:
    await auth.register("ada@example.com")
    await send_due()
    statements: list[str] = []

    def record(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    try:
        found = {}
        for email in ("ada@example.com", "nobody@example.com"):
            statements.clear()
            answer = await auth.http.post(path, json={"email": email})
            headers = {name for name in answer.headers if name not in {"x-request-id", "x-process-time"}}
            found[email] = (answer.status_code, answer.content, headers, list(statements))
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", record)
    known, unknown = found.values()
    assert known == unknown
    assert known[0] == 202
    await send_due()
    assert [mail.recipients for mail in mail_server.mails] == [["ada@example.com"]] * 2
    async with db_sessions() as session:
        assert await session.scalar(select(func.count()).select_from(MailRequest)) == 0


async def test_verification_mail_when_requested_again_has_a_token_and_is_not_sent_to_a_verified_address(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register("ada@example.com")
    for _ in range(2):
        assert (await auth.http.post(PATHS[1], json={"email": "Ada@example.com"})).status_code == 202
    await send_due()
    first, _, third = map(token_in, mail_server.mails)
    assert (await auth.http.post("/auth/email/verify", json={"token": first})).status_code == 204
    assert (await auth.http.post("/auth/email/verify", json={"token": third})).status_code == 400
    await auth.http.post(PATHS[1], json={"email": "ada@example.com"})
    await send_due()
    assert len(mail_server.mails) == 3


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
async def test_requests_when_too_many_for_one_address_are_refused_until_one_is_allowed_again(
    auth: AuthClient, email: str
) -> None:
    await auth.register("ada@example.com")
    answers = [await auth.http.post(PATHS[0], json={"email": email}) for _ in range(CAPACITY + 1)]
    assert [answer.status_code for answer in answers] == [202] * CAPACITY + [429]
    assert answers[-1].json()["code"] == "too_many_mails"
    assert 0 < int(answers[-1].headers["retry-after"]) <= REFILL.total_seconds()
    assert (await auth.http.post(PATHS[0], json={"email": "other@example.com"})).status_code == 202
    async with db_sessions.begin() as session:
        await session.execute(update(MailBucket).values(full_at=MailBucket.full_at - REFILL))
    assert [(await auth.http.post(PATHS[0], json={"email": email})).status_code for _ in range(2)] == [202, 429]
    async with db_sessions.begin() as session:
        await session.execute(update(MailBucket).values(full_at=func.now() - REFILL))
        assert await prune(session) == 2
    assert (await auth.http.post(PATHS[0], json={"email": email})).status_code == 202


async def test_requests_of_one_kind_do_not_use_up_the_mails_of_another_kind(
    auth: AuthClient, mail_server: MailServer
) -> None:
    email = "ada@example.com"
    await auth.register(email)
    for path in (PATHS[1], "/auth/email/code", PATHS[0]):
        answers = [await auth.http.post(path, json={"email": email}) for _ in range(CAPACITY + 1)]
        assert [answer.status_code for answer in answers] == [202] * CAPACITY + [429], path


async def test_notices_to_an_unverified_address_are_limited(auth: AuthClient, mail_server: MailServer) -> None:
    stranger, passwords = "ada@example.com", [PASSWORD, "six lamps in the harbour"]
    await auth.register(stranger)
    headers = await auth.logged_in(stranger)

    async def change_password() -> int:
        body = {"current_password": passwords[0], "new_password": passwords[1]}
        passwords.reverse()
        return (await auth.http.post("/auth/me/password", json=body, headers=headers)).status_code

    assert {await change_password() for _ in range(CAPACITY + 2)} == {204}
    await send_due()
    assert len(mail_server.mails) == 1 + CAPACITY, "the mail of the registration and the notices"
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(email_verified_at=func.now()))
    assert await change_password() == 204
    await send_due()
    assert len(mail_server.mails) == 2 + CAPACITY, "the owner of a verified address gets every notice"


async def test_deletion_when_requested_again_sends_one_mail(auth: AuthClient, mail_server: MailServer) -> None:
    await auth.register("ada@example.com")
    for _ in range(3):
        headers = await auth.logged_in("ada@example.com")
        assert (
            await auth.http.post("/auth/me/delete", json={"password": PASSWORD}, headers=headers)
        ).status_code == 202
    await send_due()
    assert sum("will be deleted" in mail.subject for mail in mail_server.mails) == 1


async def test_changes_of_address_of_one_account_are_limited(auth: AuthClient) -> None:
    await auth.register("ada@example.com")
    headers = await auth.logged_in("ada@example.com")
    bodies = [{"email": f"stranger{number}@example.com", "password": PASSWORD} for number in range(CAPACITY + 1)]
    answers = [await auth.http.post("/auth/me/email", json=body, headers=headers) for body in bodies]
    assert [answer.status_code for answer in answers] == [202] * CAPACITY + [429]
    assert REFILL.total_seconds() < int(answers[-1].headers["retry-after"]) <= CHANGE_REFILL.total_seconds()
