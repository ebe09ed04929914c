"""The owner changes the address; the old one gets a notice, with which its owner can have the account back."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from passlib.context import CryptContext
from sqlalchemy import func, select, text, update

from services.auth.accounts import email_verification, one_time_tokens
from services.auth.accounts.models import OneTimeToken, TokenPurpose
from services.auth.db import db_sessions
from services.auth.models import OutboxRow
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.auth_cli import run_auth
from tests.fixtures.mail import send_due, token_in

OLD, NEW = "ada@example.com", "ada.obi@example.com"
NEW_PASSWORD = "six lamps in the harbour"
HASH = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4).hash(PASSWORD)


async def ask(auth: AuthClient, email: str, headers: dict[str, str], password: str = PASSWORD) -> httpx.Response:
    return await auth.http.post("/auth/me/email", json={"email": email, "password": password}, headers=headers)


async def use(auth: AuthClient, token: str, call: str = "verify") -> httpx.Response:
    return await auth.http.post(f"/auth/email/{call}", json={"token": token})


async def sent_to(mail_server: MailServer, address: str) -> str:
    """Send what waits. Return the token in the last mail to this address, or its subject if it has none."""
    await send_due()
    mail = next(mail for mail in mail_server.mails[::-1] if mail.recipients == [address])
    return token_in(mail) if "#token=" in mail.text else mail.subject


async def changed(auth: AuthClient, mail_server: MailServer, old: str, new: str) -> str:
    """Change the address of an account. Return the token that undoes it."""
    assert (await ask(auth, new, await auth.logged_in(old))).status_code == 202
    assert (await use(auth, await sent_to(mail_server, new))).status_code == 204
    return await sent_to(mail_server, old)


async def test_change_when_confirmed_moves_the_account_and_tells_both_addresses(
    auth: AuthClient, mail_server: MailServer
) -> None:
    account_id = (await auth.register(OLD)).json()["id"]
    headers = await auth.logged_in(OLD)
    assert (await ask(auth, NEW, headers)).status_code == 202
    assert (await auth.login(NEW)).status_code == 400, "the new address is not confirmed yet"
    await use(auth, await sent_to(mail_server, NEW))
    assert [(await auth.login(address)).status_code for address in (OLD, NEW)] == [400, 200]
    me = (await auth.http.get("/auth/me", headers=headers)).json()
    assert (me["id"], me["email"], me["email_verified"]) == (account_id, NEW, True)
    assert await sent_to(mail_server, NEW) == "Kwik Mart: your new e-mail address"
    notices = [mail.subject for mail in mail_server.mails if mail.recipients == [OLD]]
    assert notices[-1] == "Kwik Mart: your e-mail address was changed"
    async with db_sessions() as session:
        (event,) = (await session.scalars(select(OutboxRow))).all()
    assert (event.type, NEW in str(event.body)) == ("account.changed", True)


async def test_change_when_requested_tells_the_old_address_which_can_cancel_it(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OLD)
    assert (await ask(auth, NEW, await auth.logged_in(OLD))).status_code == 202
    token = await sent_to(mail_server, NEW)
    assert await sent_to(mail_server, OLD) == "Kwik Mart: a new e-mail address was entered"
    await auth.http.post("/auth/password/forgot", json={"email": OLD})
    reset = {"token": await sent_to(mail_server, OLD), "password": NEW_PASSWORD}
    assert (await auth.http.post("/auth/password/reset", json=reset)).status_code == 204
    assert (await use(auth, token)).status_code == 400


async def test_change_when_undone_gives_the_account_back_and_locks_others_out(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OLD)
    token = await changed(auth, mail_server, OLD, NEW)
    tokens = (await auth.login(NEW)).json()
    assert (await use(auth, token, "undo")).status_code == 204
    assert (await use(auth, token, "undo")).status_code == 400
    assert (await auth.refresh(tokens["refresh_token"])).status_code == 400
    assert [(await auth.login(address)).status_code for address in (OLD, NEW)] == [400, 400], "no password is valid"
    reset = {"token": await sent_to(mail_server, OLD), "password": NEW_PASSWORD}
    assert (await auth.http.post("/auth/password/reset", json=reset)).status_code == 204
    assert (await auth.login(OLD, NEW_PASSWORD)).status_code == 200


async def test_undo_when_the_address_was_changed_twice_restores_the_first_and_revokes_the_later_undo(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OLD)
    first = await changed(auth, mail_server, OLD, NEW)
    second = await changed(auth, mail_server, NEW, "thief@example.com")
    assert (await use(auth, first, "undo")).status_code == 204
    assert (await use(auth, second, "undo")).status_code == 400
    assert (await auth.register(OLD)).json()["code"] == "email_taken"
    assert (await auth.register(NEW)).status_code == 201


async def test_old_address_while_the_change_can_be_undone_cannot_be_taken(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OLD)
    token = await changed(auth, mail_server, OLD, NEW)
    assert (await auth.register(OLD)).json()["code"] == "email_taken"
    await auth.register("eve@example.com")
    assert (await ask(auth, OLD, await auth.logged_in("eve@example.com"))).status_code == 202
    assert await sent_to(mail_server, OLD) == "Kwik Mart: you have an account already"
    async with db_sessions.begin() as session:
        undo = (await session.scalars(select(OneTimeToken).where(OneTimeToken.email == OLD))).one()
        assert undo.purpose is TokenPurpose.UNDO_EMAIL_CHANGE
        assert undo.expires_at - undo.created_at == timedelta(days=7)
        await session.execute(update(OneTimeToken).values(expires_at=datetime.now(UTC)))
    assert (await use(auth, token, "undo")).status_code == 400
    assert (await auth.register(OLD)).status_code == 201


async def test_old_address_while_the_change_can_be_undone_is_not_imported(
    auth: AuthClient, mail_server: MailServer, tmp_path: Path
) -> None:
    await auth.register(OLD)
    token = await changed(auth, mail_server, OLD, NEW)
    file = tmp_path / "accounts.csv"
    file.write_text(f"email,password_hash\n{OLD},{HASH}\nchidi@example.com,{HASH}\n{OLD.upper()},{HASH}\n")
    code, out = await run_auth("account", "import", str(file))
    refused = "the account that had this address before can have it back for 7 days: import this line afterwards"
    assert (code, sorted(out.splitlines())) == (
        1,
        ["imported: 1, existing: 0, refused: 2", f"line 2: {refused}", f"line 4: {refused}"],
    )
    assert (await auth.login("chidi@example.com")).status_code == 200
    assert (await use(auth, token, "undo")).status_code == 204


async def test_old_address_when_another_account_changes_to_it_at_the_same_time_can_still_be_restored(
    auth: AuthClient,
) -> None:
    ids = [UUID((await auth.register(address)).json()["id"]) for address in (OLD, "eve@example.com")]
    async with db_sessions.begin() as session:
        tokens = [
            await one_time_tokens.issue(session, TokenPurpose.CHANGE_EMAIL, account_id, address)
            for account_id, address in zip(ids, (NEW, OLD), strict=True)
        ]
    waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, db_sessions.begin() as session:
        await email_verification.verify(session, tokens[0])
        other = tasks.create_task(use(auth, tokens[1]))
        while not await session.scalar(waiting):  # noqa: ASYNC110 -- Postgres has no event to wait for
            await asyncio.sleep(0.01)
    assert (other.result().status_code, other.result().json()["code"]) == (409, "email_taken")


async def test_change_when_the_new_address_has_an_account_gets_the_same_answer_and_no_token(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OLD)
    await auth.register(NEW)
    headers = await auth.logged_in(OLD)
    taken, free = [await ask(auth, address, headers) for address in (NEW, "free@example.com")]
    assert (taken.status_code, taken.content) == (free.status_code, free.content) == (202, free.content)
    assert await sent_to(mail_server, NEW) == "Kwik Mart: you have an account already"


async def test_change_when_the_new_address_is_registered_meanwhile_is_refused(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register(OLD)
    await ask(auth, NEW, await auth.logged_in(OLD))
    token = await sent_to(mail_server, NEW)
    await auth.register(NEW)
    answer = await use(auth, token)
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert (await auth.login(OLD)).status_code == 200


@pytest.mark.parametrize(
    ("email", "password", "status", "code"),
    [
        (NEW, "another password", 403, "wrong_password"),
        (OLD.upper(), PASSWORD, 409, "email_unchanged"),
        ("no address", PASSWORD, 422, "invalid_request"),
    ],
)
async def test_change_when_refused_sends_nothing(
    auth: AuthClient, mail_server: MailServer, email: str, password: str, status: int, code: str
) -> None:
    await auth.register(OLD)
    answer = await ask(auth, email, await auth.logged_in(OLD), password)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    await send_due()
    assert [mail.recipients for mail in mail_server.mails] == [[OLD]]
