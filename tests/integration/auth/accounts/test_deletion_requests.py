"""An account is deleted 14 days after its owner has asked for it, unless the owner restores it."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, text, update

from services.auth.accounts import deletion_requests
from services.auth.accounts.mail_requests import answer_requests, request_mail
from services.auth.accounts.models import MailRequest, OneTimeToken, RequestKind
from services.auth.db import db_sessions
from services.auth.models import Account, Base, OutboxRow
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.lock_order import until_waiting
from tests.fixtures.mail import send_due

EMAIL = "ada@example.com"


async def ask(auth: AuthClient, password: str | None = PASSWORD) -> httpx.Response:
    body = {} if password is None else {"password": password}
    return await auth.http.post("/auth/me/delete", json=body, headers=await auth.logged_in(EMAIL))


async def let_grace_pass() -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(delete_at=Account.delete_at - deletion_requests.GRACE))


async def test_delete_when_asked_ends_all_sessions_and_erases_the_account_after_the_grace(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(EMAIL, name="Ada Lovelace")
    tokens = (await auth.login(EMAIL)).json()
    answer = await ask(auth)
    assert answer.status_code == 202
    remaining = datetime.fromisoformat(answer.json()["delete_at"]) - datetime.now(UTC)
    assert timedelta(days=13, hours=23) < remaining <= deletion_requests.GRACE
    assert (await auth.refresh(tokens["refresh_token"])).status_code == 400
    await send_due()
    assert mail_server.mails[-1].subject == "Kwik Mart: your account will be deleted"
    assert answer.json()["delete_at"][:10] in mail_server.mails[-1].text
    assert await deletion_requests.delete_due(db_sessions, 10) == 0
    assert (await auth.login(EMAIL)).status_code == 200, "not yet"
    await let_grace_pass()
    await auth.http.post("/auth/password/forgot", json={"email": EMAIL})
    await auth.http.post("/auth/email/code", json={"email": EMAIL})
    assert await deletion_requests.delete_due(db_sessions, 10) == 1
    assert (await auth.login(EMAIL)).status_code == 400
    async with db_sessions() as session:
        assert "account.deleted" in (await session.scalars(select(OutboxRow.type))).all()
        for table in Base.metadata.sorted_tables:
            rows = (await session.execute(text(f"SELECT t::text FROM {table.name} t"))).scalars().all()
            assert not [row for row in rows if EMAIL in row or "Lovelace" in row], table.name
    assert (await auth.register(EMAIL)).status_code == 201


async def test_delete_when_the_owner_restores_the_account_does_not_happen(auth: AuthClient) -> None:
    await auth.register(EMAIL)
    first = (await ask(auth)).json()["delete_at"]
    headers = await auth.logged_in(EMAIL)
    assert (await auth.http.get("/auth/me", headers=headers)).json()["delete_at"] == first
    assert (await ask(auth)).json()["delete_at"] == first, "a repeated request does not extend the time"
    headers = await auth.logged_in(EMAIL)
    assert (await auth.http.post("/auth/me/restore", headers=headers)).status_code == 204
    assert (await auth.http.get("/auth/me", headers=headers)).json()["delete_at"] is None
    await let_grace_pass()
    assert await deletion_requests.delete_due(db_sessions, 10) == 0


@pytest.mark.parametrize("password", [None, "another password"])
async def test_delete_when_the_password_is_missing_or_wrong_is_refused(auth: AuthClient, password: str | None) -> None:
    await auth.register(EMAIL)
    answer = await ask(auth, password)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert (await auth.login(EMAIL)).status_code == 200


async def test_delete_when_the_account_has_a_staff_role_is_refused(auth: AuthClient) -> None:
    await auth.register(EMAIL)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role="support"))
    answer = await ask(auth)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_has_staff_role")


async def test_delete_due_leaves_accounts_that_have_a_staff_role(auth: AuthClient) -> None:
    await auth.register(EMAIL)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(role="support", delete_at=func.now() - timedelta(seconds=1)))
    assert await deletion_requests.delete_due(db_sessions, 2) == 0


async def test_delete_due_when_two_workers_run_deletes_each_account_once(auth: AuthClient) -> None:
    for _ in range(4):
        await auth.register()
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(delete_at=func.now() - timedelta(seconds=1)))
    assert sum(await asyncio.gather(*(deletion_requests.delete_due(db_sessions, 3) for _ in range(2)))) == 4
    async with db_sessions() as session:
        assert (await session.scalars(select(OutboxRow.type))).all() == ["account.deleted"] * 4


@pytest.mark.parametrize("kind", RequestKind)
async def test_delete_due_when_the_worker_answers_a_request_for_the_account_then_no_deadlock(
    auth: AuthClient, kind: RequestKind
) -> None:
    """A deletion locks the account and waits for the request that the worker answers. The worker must be able to add a token meanwhile."""
    await auth.register(EMAIL)
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(delete_at=func.now() - timedelta(seconds=1)))
        account = (await session.scalars(select(Account))).one()
        of_account = account.id if kind is RequestKind.CHANGE_EMAIL else None
        email = "ada.obi@example.com" if of_account else EMAIL
        await request_mail(session, kind, email, of_account)
    async with db_sessions.begin() as session:
        await session.execute(select(MailRequest).with_for_update())
        deleting = asyncio.create_task(deletion_requests.delete_due(db_sessions, 10))
        await until_waiting(db_sessions)
        assert await answer_requests(session) == 1
    assert await deleting == 1
    async with db_sessions() as session:
        for table in (Account, MailRequest, OneTimeToken):
            assert (await session.scalars(select(table))).all() == []


async def test_export_has_what_is_stored_and_no_secret(auth: AuthClient, mail_server: MailServer) -> None:
    await auth.register(EMAIL, name="Ada")
    await send_due()
    answer = await auth.http.get("/auth/me/export", headers=await auth.logged_in(EMAIL))
    found = answer.json()
    assert (answer.status_code, found["email"], found["name"], found["role"]) == (200, EMAIL, "Ada", "customer")
    assert [session["client_id"] for session in found["sessions"]] == ["shop"]
    assert [(mail["template"], mail["status"]) for mail in found["mails"]] == [("verify_email", "sent")]
    assert "$" not in answer.text, "the hash of the password has it"
