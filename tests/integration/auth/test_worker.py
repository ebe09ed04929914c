from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from services.auth.db import sessions
from services.auth.sessions import refresh_tokens
from services.auth.sessions.models import RefreshFamily
from services.auth.throttling import failed_logins
from services.auth.throttling.models import FailedLogin
from services.auth.worker import prune
from tests.fixtures.auth import AuthClient


async def _count(table: type[FailedLogin] | type[RefreshFamily]) -> int:
    async with sessions() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_prune_deletes_only_expired_rows(auth: AuthClient, email: str) -> None:
    await auth.login(email)
    async with sessions.begin() as session:
        await failed_logins.record_failure(session, "old")
        await session.execute(update(FailedLogin).values(last_failure_at=datetime.now(UTC) - timedelta(hours=25)))
        await session.execute(update(RefreshFamily).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    valid_token = (await auth.login(email)).json()["refresh_token"]
    async with sessions.begin() as session:
        await failed_logins.record_failure(session, "new")
    async with sessions.begin() as session:
        assert await prune(session) == 1
    async with sessions.begin() as session:
        assert await prune(session) == 0
    assert (await _count(FailedLogin), await _count(RefreshFamily)) == (1, 1)
    assert (await auth.refresh(valid_token)).status_code == 200


async def test_prune_skips_rows_that_another_worker_is_deleting(auth: AuthClient, email: str) -> None:
    async with sessions.begin() as session:
        for number in range(4):
            await auth.login(email)
            await failed_logins.record_failure(session, f"name-{number}")
        await session.execute(update(FailedLogin).values(last_failure_at=datetime.now(UTC) - timedelta(hours=25)))
    async with sessions.begin() as session:
        await session.execute(update(RefreshFamily).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    async with sessions.begin() as first, sessions.begin() as second:
        assert [await failed_logins.delete_old(one, 2) for one in (first, second)] == [2, 2]
        assert [await refresh_tokens.delete_expired(one, 2) for one in (first, second)] == [2, 2]
