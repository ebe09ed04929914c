from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update

from services.auth import attempts
from services.auth.db import sessions
from services.auth.models import FailedLogin, RefreshFamily
from services.auth.worker import prune
from tests.auth.conftest import Shop


async def _count(table: type[FailedLogin] | type[RefreshFamily]) -> int:
    async with sessions() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_forgets_what_is_over_and_nothing_else(shop: Shop, email: str) -> None:
    await shop.login(email)
    async with sessions.begin() as session:
        await attempts.count(session, "old")
        await session.execute(update(FailedLogin).values(last_at=datetime.now(UTC) - timedelta(hours=25)))
        await session.execute(update(RefreshFamily).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    kept = (await shop.login(email)).json()["refresh_token"]
    async with sessions.begin() as session:
        await attempts.count(session, "new")
    async with sessions.begin() as session:
        assert await prune(session) == 1
    async with sessions.begin() as session:
        assert await prune(session) == 0
    assert (await _count(FailedLogin), await _count(RefreshFamily)) == (1, 1)
    assert (await shop.refresh(kept)).status_code == 200
