"""The owner of an address proves it with the token of a mail."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from services.auth.accounts.models import OneTimeToken
from services.auth.db import db_sessions
from services.auth.mail import waiting
from services.auth.models import Account
from services.auth.settings import settings
from services.auth.worker import prune
from tests.fakes.mail_server import MailServer
from tests.fixtures.auth import AuthClient
from tests.fixtures.mail import send_due, stored_mails, token_in

VERIFY = "/auth/email/verify"


async def verified(auth: AuthClient, email: str) -> bool:
    token = (await auth.login(email)).json()["access_token"]
    found: bool = (await auth.me(token)).json()["email_verified"]
    return found


async def test_verify_when_the_token_is_that_of_the_mail_verifies_the_address_once(
    auth: AuthClient, mail_server: MailServer
) -> None:
    registered = await auth.register("ada@example.com")
    assert registered.json()["email_verified"] is False
    assert not await verified(auth, "ada@example.com")
    await send_due()
    body = {"token": f" {token_in(mail_server.mails[0])}\n"}
    answers = await asyncio.gather(*(auth.http.post(VERIFY, json=body) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [204] + [400] * 9
    assert await verified(auth, "ada@example.com")


async def test_token_is_stored_as_a_digest(auth: AuthClient) -> None:
    await auth.register("ada@example.com")
    (mail,) = await stored_mails()
    assert mail.secrets is not None
    async with db_sessions() as session:
        token = (await session.scalars(select(OneTimeToken))).one()
    assert mail.secrets["token"].encode() not in token.digest
    assert len(token.digest) == 32


async def test_verify_when_the_token_is_unknown_expired_or_of_another_address_is_refused(
    auth: AuthClient, mail_server: MailServer
) -> None:
    await auth.register("ada@example.com")
    await send_due()
    token = token_in(mail_server.mails[0])
    refused = [await auth.http.post(VERIFY, json={"token": "x" * 43})]
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(email="eve@example.com"))
    refused.append(await auth.http.post(VERIFY, json={"token": token}))
    async with db_sessions.begin() as session:
        await session.execute(update(Account).values(email="ada@example.com"))
        await session.execute(update(OneTimeToken).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    refused.append(await auth.http.post(VERIFY, json={"token": token}))
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(400, "token_not_valid")] * 3
    assert not await verified(auth, "ada@example.com")
    async with db_sessions.begin() as session:
        await prune(session)
        assert (await session.scalars(select(OneTimeToken))).first() is None


@pytest.mark.parametrize("token", ["", "short", "x" * 44, 5, None])
async def test_verify_when_the_token_is_malformed_is_an_invalid_request(auth: AuthClient, token: object) -> None:
    response = await auth.http.post(VERIFY, json={"token": token})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_register_without_a_mail_server_sends_no_mail(auth: AuthClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "settings", settings.model_copy(update={"auth_smtp_url": None}))
    assert waiting.mail_is_configured() is False
    assert (await auth.register()).status_code == 201
    assert await stored_mails() == []
