from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from services.auth.db import db_sessions
from services.auth.models import Base
from services.auth.sessions import refresh_tokens
from services.auth.sessions.models import LoginSession
from services.auth.throttling import address_buckets, devices, failed_logins
from services.auth.throttling.models import AddressBucket, Device, FailedLogin
from services.auth.worker import prune
from tests.fixtures.auth import AuthClient

TIMES = {
    LoginSession: LoginSession.expires_at,
    FailedLogin: FailedLogin.forget_at,
    AddressBucket: AddressBucket.full_at,
    Device: Device.expires_at,
}
"""The tables that are pruned, and when each row may be deleted."""


async def _count(table: type[Base]) -> int:
    async with db_sessions() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def _fill_every_table(auth: AuthClient, email: str) -> None:
    """Add a row to each table. The registration of the account has already added another bucket."""
    await auth.login(email)
    await auth.login(f"{datetime.now(UTC).timestamp()}@example.com", "guessing")


async def _expire() -> None:
    async with db_sessions.begin() as session:
        for table, time in TIMES.items():
            await session.execute(update(table).values({time: datetime.now(UTC) - timedelta(seconds=1)}))


async def test_prune_deletes_only_expired_rows(auth: AuthClient, email: str) -> None:
    await _fill_every_table(auth, email)
    await _expire()
    valid_token = (await auth.login(email)).json()["refresh_token"]
    await auth.login("new@example.com", "guessing")
    async with db_sessions.begin() as session:
        assert await prune(session) == 1
    async with db_sessions.begin() as session:
        assert await prune(session) == 0
    assert {table: await _count(table) for table in TIMES} == dict.fromkeys(TIMES, 1)
    assert (await auth.refresh(valid_token)).status_code == 200


@pytest.mark.parametrize(
    "delete",
    [
        refresh_tokens.delete_expired,
        failed_logins.delete_old,
        devices.delete_expired,
    ],
    ids=["sessions", "failed logins", "devices"],
)
async def test_prune_skips_rows_that_another_worker_is_deleting(auth: AuthClient, email: str, delete: Any) -> None:
    for _ in range(4):
        await _fill_every_table(auth, email)
    await _expire()
    async with db_sessions.begin() as first, db_sessions.begin() as second:
        assert [await delete(one, 2) for one in (first, second)] == [2, 2]


async def test_prune_skips_buckets_that_another_worker_is_deleting(auth: AuthClient) -> None:
    async with db_sessions.begin() as session:
        for number in range(4):
            await address_buckets.take(session, address_buckets.FAILED_LOGINS_AND_MAIL_REQUESTS, f"192.0.2.{number}")
    await _expire()
    async with db_sessions.begin() as first, db_sessions.begin() as second:
        assert [await address_buckets.delete_full(one, 2) for one in (first, second)] == [2, 2]
