"""What a thief requested for an account has no effect after its owner has changed it or taken it back."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from kit.audit.actor import Actor
from services.auth.accounts import deletion_requests, email_routes, records, roles
from services.auth.accounts.models import MailCode, MailRequest, OneTimeToken
from services.auth.db import db_sessions
from services.auth.models import Account
from tests.fakes.mail_server import MailServer
from tests.fixtures.accounts import mark_verified
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.mail import send_due, token_in

OWNER, THIEF, OTHER = "ada@example.com", "thief@example.com", "other@example.com"
NEW = "six lamps in the harbour"
NOT_DELETED = "your account will not be deleted"
Headers = dict[str, str]
Recover = Callable[[AuthClient, MailServer], Awaitable[None]]


async def post(auth: AuthClient, path: str, headers: Headers | None = None, **body: str) -> httpx.Response:
    return await auth.http.post(f"/auth{path}", json=body, headers=headers)


async def token_to(mail_server: MailServer, address: str) -> str:
    """Send what waits. Return the token in the last mail to this address."""
    await send_due()
    return token_in(next(mail for mail in mail_server.mails[::-1] if mail.recipients == [address]))


async def reset_token(auth: AuthClient, mail_server: MailServer) -> str:
    assert (await post(auth, "/password/forgot", email=OWNER)).status_code == 202
    return await token_to(mail_server, OWNER)


async def reset(auth: AuthClient, mail_server: MailServer) -> None:
    token = await reset_token(auth, mail_server)
    assert (await post(auth, "/password/reset", token=token, password=NEW)).status_code == 204


async def change_password(auth: AuthClient, _: MailServer) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await post(auth, "/me/password", await auth.logged_in(OWNER), **body)).status_code == 204


async def stolen(auth: AuthClient, mail_server: MailServer) -> str:
    """Give the account of OWNER the address THIEF. Return the token that undoes it."""
    await auth.register(OWNER)
    assert (await ask_change(auth, await auth.logged_in(OWNER), THIEF)).status_code == 202
    assert (await post(auth, "/email/verify", token=await token_to(mail_server, THIEF))).status_code == 204
    return await token_to(mail_server, OWNER)


async def ask_change(auth: AuthClient, headers: Headers, email: str) -> httpx.Response:
    return await post(auth, "/me/email", headers, email=email, password=PASSWORD)


async def delete_at(email: str) -> object:
    async with db_sessions() as session:
        return (await session.execute(select(Account.delete_at).where(Account.email == email))).scalar_one()


@pytest.mark.parametrize("recover", [reset, change_password], ids=lambda f: f.__name__)
async def test_token_of_a_change_of_address_after_a_new_password_is_not_valid(
    auth: AuthClient, mail_server: MailServer, recover: Recover
) -> None:
    await auth.register(OWNER)
    await ask_change(auth, await auth.logged_in(OWNER), THIEF)
    token = await token_to(mail_server, THIEF)
    await recover(auth, mail_server)
    assert (await post(auth, "/email/verify", token=token)).status_code == 400
    assert (await auth.login(OWNER, NEW)).status_code == 200


async def test_requests_that_the_worker_has_not_answered_are_forgotten_by_a_new_password(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OWNER)
    token = await reset_token(auth, mail_server)
    await ask_change(auth, await auth.logged_in(OWNER), THIEF)
    await post(auth, "/email/code", email=OWNER)
    assert (await post(auth, "/password/reset", token=token, password=NEW)).status_code == 204
    async with db_sessions() as session:
        for table in (MailRequest, MailCode, OneTimeToken):
            assert await session.scalar(select(func.count()).select_from(table)) == 0


async def test_undo_forgets_a_request_that_the_worker_has_not_answered(
    auth: AuthClient, mail_server: MailServer
) -> None:
    undo = await stolen(auth, mail_server)
    assert (await ask_change(auth, await auth.logged_in(THIEF), OTHER)).status_code == 202
    assert (await post(auth, "/email/undo", token=undo)).status_code == 204
    await send_due()
    assert not [mail for mail in mail_server.mails if mail.recipients == [OTHER]]


@pytest.mark.parametrize("path", ["/me/email", "/me/delete"])
async def test_request_whose_password_was_verified_before_a_reset_is_refused_after_it(
    auth: AuthClient, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await auth.register(OWNER)
    headers, token = await auth.logged_in(OWNER), await reset_token(auth, mail_server)
    verified, owner_done = asyncio.Event(), asyncio.Event()
    for module in (email_routes, deletion_requests):

        async def checked(*_: object) -> None:
            verified.set()
            await owner_done.wait()

        monkeypatch.setattr(module, "check_password", checked)
    body = {"password": PASSWORD} | ({"email": THIEF} if path == "/me/email" else {})
    async with asyncio.timeout(30):
        request = asyncio.create_task(post(auth, path, headers, **body))
        await verified.wait()
        assert (await post(auth, "/password/reset", token=token, password=NEW)).status_code == 204
        owner_done.set()
        answer = await request
    assert answer.status_code == 401
    assert await delete_at(OWNER) is None
    async with db_sessions() as session:
        assert (await session.scalars(select(MailRequest))).all() == []


async def test_deletion_that_a_thief_requested_ends_with_the_undo(auth: AuthClient, mail_server: MailServer) -> None:
    undo = await stolen(auth, mail_server)
    assert (await post(auth, "/me/delete", await auth.logged_in(THIEF), password=PASSWORD)).status_code == 202
    assert (await post(auth, "/email/undo", token=undo)).status_code == 204
    assert await delete_at(OWNER) is None
    await send_due()
    assert [mail.recipients for mail in mail_server.mails if NOT_DELETED in mail.subject] == [[OWNER]]


async def test_requested_deletion_ends_with_a_reset_and_not_with_a_changed_password(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OWNER)
    await post(auth, "/me/delete", await auth.logged_in(OWNER), password=PASSWORD)
    await change_password(auth, mail_server)
    assert await delete_at(OWNER) is not None
    await reset(auth, mail_server)
    assert await delete_at(OWNER) is None
    await send_due()
    assert [mail.recipients for mail in mail_server.mails if NOT_DELETED in mail.subject] == [[OWNER]]


async def test_grant_of_a_role_forgets_what_was_requested_for_the_account(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OWNER)
    await mark_verified(OWNER)
    headers = await auth.logged_in(OWNER)
    await ask_change(auth, headers, THIEF)
    token = await token_to(mail_server, THIEF)
    await post(auth, "/me/delete", headers, password=PASSWORD)
    async with db_sessions.begin() as session:
        await roles.grant(session, Actor(id="operator:ada", address="desk"), OWNER, "support")
    assert (await post(auth, "/email/verify", token=token)).status_code == 400
    assert await delete_at(OWNER) is None


async def test_tokens_of_one_account_when_used_at_once_do_not_deadlock(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OWNER)
    headers = await auth.logged_in(OWNER)
    addresses = [f"ada{number}@example.com" for number in range(5)]
    for address in addresses:
        await ask_change(auth, headers, address)
    tokens = [await token_to(mail_server, address) for address in addresses]
    answers = await asyncio.gather(*(post(auth, "/email/verify", token=token) for token in tokens))
    assert sorted(answer.status_code for answer in answers) == [204] + [400] * 4


async def test_mail_code_when_the_account_is_locked_is_not_locked_before_it(
    auth: AuthClient, mail_server: MailServer
) -> None:
    """`revoke_pending_requests` locks the account and then the code: a login that locked them in the other order would deadlock with it."""
    account_id = (await auth.register(OWNER)).json()["id"]
    challenge = (await post(auth, "/email/code", email=OWNER)).json()["challenge"]
    await send_due()
    code = re.findall(r"\b\d{6}\b", mail_server.mails[-1].text)[0]
    waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, db_sessions.begin() as session:
        await records.lock(session, UUID(account_id))
        login = tasks.create_task(auth.token("urn:shop:grant-type:mail-code", challenge=challenge, code=code))
        while not await session.scalar(waiting):  # noqa: ASYNC110 -- Postgres has no event to wait for
            await asyncio.sleep(0.01)
        await session.execute(select(MailCode).with_for_update(nowait=True))
    assert login.result().status_code == 200
