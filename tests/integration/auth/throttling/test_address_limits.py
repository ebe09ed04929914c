from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from services.auth.db import db_sessions
from services.auth.throttling import address_buckets
from services.auth.throttling.address_buckets import FAILED_LOGINS_AND_MAIL_REQUESTS, REGISTRATIONS
from services.auth.throttling.models import AddressBucket
from tests.fakes.mail_server import MailServer
from tests.fixtures.apps import RunningApp
from tests.fixtures.auth import PASSWORD, AuthClient
from tests.fixtures.auth_app import auth_client
from tests.fixtures.metrics import metric


async def _use_tokens(period: timedelta) -> datetime:
    """Take so many tokens that our bucket is full again after this period. Return when that is."""
    async with db_sessions.begin() as session:
        await address_buckets.take(session, REGISTRATIONS, "127.0.0.1")
        taken = update(AddressBucket).values(full_at=func.now() + period).returning(AddressBucket.full_at)
        return (await session.execute(taken)).scalar_one()


async def test_register_when_an_address_has_registered_too_many_accounts_then_refused(
    auth: AuthClient, auth_app: RunningApp
) -> None:
    await _use_tokens(timedelta(hours=1))
    before = metric("auth_throttled_total", limit="registrations")
    refused = await auth.register()
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert int(refused.headers["retry-after"]) >= 1
    assert metric("auth_throttled_total", limit="registrations") == before + 1
    async with auth_client(auth_app, "198.51.100.7") as elsewhere:
        assert (await elsewhere.register()).status_code == 201


async def test_register_costs_a_token_whether_it_succeeds_or_not(auth: AuthClient) -> None:
    full_at = await _use_tokens(timedelta(seconds=30))
    for status, password in ((201, PASSWORD), (409, PASSWORD), (422, "blessing")):
        assert (await auth.register("ada@example.com", password)).status_code == status
    async with db_sessions() as session:
        assert await session.scalar(select(AddressBucket.full_at)) == full_at + 3 * REGISTRATIONS.refill


async def test_register_when_failed_logins_have_used_up_their_bucket_then_created(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        await address_buckets.take(session, FAILED_LOGINS_AND_MAIL_REQUESTS, "127.0.0.1")
        await session.execute(update(AddressBucket).values(full_at=func.now() + timedelta(hours=1)))
    assert (await auth.register()).status_code == 201


async def test_register_when_the_form_is_invalid_then_not_counted(auth: AuthClient) -> None:
    for _ in range(3):
        assert (await auth.register(password="short")).status_code == 422
    async with db_sessions() as session:
        assert (await session.scalars(select(AddressBucket))).all() == []


@pytest.mark.parametrize("path", ["/auth/password/forgot", "/auth/email/verification-mail", "/auth/email/code"])
async def test_request_for_a_mail_takes_a_token_of_failed_logins(
    auth: AuthClient, mail_server: MailServer, path: str
) -> None:
    async with db_sessions.begin() as session:
        await address_buckets.take(session, FAILED_LOGINS_AND_MAIL_REQUESTS, "127.0.0.1")
        filled = update(AddressBucket).values(full_at=func.now() + timedelta(seconds=40))
        full_at = (await session.execute(filled.returning(AddressBucket.full_at))).scalar_one()
    assert (await auth.http.post(path, json={"email": "nobody@example.com"})).status_code == 202
    async with db_sessions.begin() as session:
        assert await session.scalar(select(AddressBucket.full_at)) == full_at + FAILED_LOGINS_AND_MAIL_REQUESTS.refill
        await session.execute(update(AddressBucket).values(full_at=func.now() + timedelta(hours=1)))
    refused = await auth.http.post(path, json={"email": "nobody@example.com"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")


async def test_login_with_a_wrong_code_takes_a_token_of_failed_logins(auth: AuthClient) -> None:
    grant = {"grant_type": "urn:shop:grant-type:mail-code", "challenge": "x" * 43, "code": "123456"}
    assert (await auth.token(**grant)).status_code == 400
    async with db_sessions.begin() as session:
        assert await session.scalar(select(AddressBucket.kind)) == FAILED_LOGINS_AND_MAIL_REQUESTS.kind
        await session.execute(update(AddressBucket).values(full_at=func.now() + timedelta(hours=1)))
    refused = await auth.token(**grant)
    assert (refused.status_code, refused.json()["error"]) == (429, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) > 3000
