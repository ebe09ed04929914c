import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import sessions
from services.auth.throttling.failed_logins import FREE_ATTEMPTS
from services.auth.throttling.models import FailedLogin
from tests.fixtures.auth import AuthClient


@pytest.mark.parametrize("name", ["known", "unknown"])
async def test_login_when_many_guesses_at_once_then_most_are_refused(
    auth: AuthClient, hasher: PasswordHasher, email: str, name: str
) -> None:
    target = email if name == "known" else "nobody@example.com"
    responses = await asyncio.gather(*(auth.login(target, f"guess number {n}") for n in range(30)))
    tried = [response for response in responses if response.status_code == 400]
    refused = [response for response in responses if response.status_code == 429]
    assert len(tried) + len(refused) == 30
    assert len(tried) <= FREE_ATTEMPTS + hasher.threads
    assert all(1 <= int(response.headers["retry-after"]) <= 60 for response in refused)
    assert all(response.json()["error"] == "temporarily_unavailable" for response in refused)


async def _end_pause() -> None:
    async with sessions.begin() as session:
        await session.execute(update(FailedLogin).values(next_attempt_at=datetime.now(UTC) - timedelta(seconds=1)))


async def test_login_when_guessing_continues_then_pauses_double_and_the_owner_can_log_in_between(
    auth: AuthClient, email: str
) -> None:
    for _ in range(FREE_ATTEMPTS):
        assert (await auth.login(email, "guessing")).status_code == 400
    pauses = []
    for _ in range(4):
        refused = await auth.login(email)
        assert refused.status_code == 429
        pauses.append(int(refused.headers["retry-after"]))
        await _end_pause()
        at_once = await asyncio.gather(*(auth.login(email, "guessing") for _ in range(5)))
        assert sorted(response.status_code for response in at_once) == [400, 429, 429, 429, 429]
    assert pauses == [2, 4, 8, 16]
    await _end_pause()
    assert (await auth.login(email)).status_code == 200
    assert (await auth.login(email, "guessing")).status_code == 400, "a successful login resets the count"


async def test_login_when_many_correct_logins_at_once_then_none_is_refused(auth: AuthClient, email: str) -> None:
    responses = await asyncio.gather(*(auth.login(email) for _ in range(15)))
    assert {response.status_code for response in responses} == {200}
