import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from services.auth.accounts.password_hashing import PasswordHasher
from services.auth.db import db_sessions
from services.auth.throttling import failed_logins
from services.auth.throttling.failed_logins import ATTEMPTS_PER_MINUTE, FREE_ATTEMPTS
from services.auth.throttling.models import FailedLogin
from services.auth.throttling.remembered_refusals import RememberedRefusals
from tests.fixtures.auth import AuthClient

KEY = failed_logins.key_of_name("ada@example.com")


@pytest.mark.parametrize("name", ["known", "unknown"])
async def test_login_when_many_guesses_at_once_then_most_are_refused(
    auth: AuthClient, hasher: PasswordHasher, email: str, name: str
) -> None:
    target = email if name == "known" else "nobody@example.com"
    responses = await asyncio.gather(*(auth.login(target, f"guess number {n}") for n in range(30)))
    tried = [response for response in responses if response.status_code == 400]
    refused = [response for response in responses if response.status_code == 429]
    assert len(tried) <= min(ATTEMPTS_PER_MINUTE, FREE_ATTEMPTS + hasher.threads)
    assert all(1 <= int(response.headers["retry-after"]) <= 60 for response in refused)
    assert all(response.json()["error"] == "temporarily_unavailable" for response in refused)
    others = {response.status_code for response in responses if response not in tried + refused}
    assert others <= {503}, "more of an address than may wait for a thread"


async def _end_pause() -> None:
    async with db_sessions.begin() as session:
        await session.execute(update(FailedLogin).values(next_attempt_at=datetime.now(UTC) - timedelta(seconds=1)))


async def _start() -> datetime | None:
    async with db_sessions.begin() as session:
        return await failed_logins.start_attempt(session, KEY)


async def _fail() -> None:
    assert await _start() is not None
    async with db_sessions.begin() as session:
        await failed_logins.record_failure(session, KEY)
    await _end_pause()


async def test_login_when_guessing_continues_then_pauses_double_and_the_owner_can_log_in_between(
    auth: AuthClient, email: str, refusals: RememberedRefusals
) -> None:
    for _ in range(FREE_ATTEMPTS):
        assert (await auth.login(email, "guessing")).status_code == 400
    pauses = []
    for _ in range(4):
        refused = await auth.login(email)
        assert refused.status_code == 429
        pauses.append(int(refused.headers["retry-after"]))
        await _end_pause()
        refusals.clear()
        at_once = await asyncio.gather(*(auth.login(email, "guessing") for _ in range(5)))
        assert sorted(response.status_code for response in at_once) == [400, 429, 429, 429, 429]
    assert pauses == [2, 4, 8, 16]
    await _end_pause()
    refusals.clear()
    assert (await auth.login(email)).status_code == 200
    assert (await auth.login(email, "guessing")).status_code == 400, "a successful login resets the pause"


async def test_login_when_ten_correct_logins_at_once_then_none_is_refused(auth: AuthClient, email: str) -> None:
    responses = await asyncio.gather(*(auth.login(email) for _ in range(10)))
    assert {response.status_code for response in responses} == {200}


async def test_start_attempt_when_many_at_once_then_ten() -> None:
    started = await asyncio.gather(*(_start() for _ in range(30)))
    assert len([at for at in started if at is not None]) == ATTEMPTS_PER_MINUTE


async def test_start_attempt_when_ten_have_failed_within_a_minute_then_refused_until_the_oldest_is_a_minute_old() -> (
    None
):
    for _ in range(ATTEMPTS_PER_MINUTE):
        await _fail()
    assert await _start() is None
    async with db_sessions.begin() as session:
        assert 0 < await failed_logins.seconds_to_wait(session, KEY) <= 60
        (times,) = (await session.scalars(select(FailedLogin.attempt_times))).all()
        older = [times[0] - timedelta(minutes=1), *times[1:]]
        await session.execute(update(FailedLogin).values(attempt_times=older))
    assert await _start() is not None
    assert await _start() is None


async def test_start_attempt_when_the_owner_logs_in_between_then_still_ten_failures_a_minute() -> None:
    for _ in range(ATTEMPTS_PER_MINUTE // 2):
        for _ in range(2):
            await _fail()
        started_at = await _start()
        if started_at is not None:
            async with db_sessions.begin() as session:
                await failed_logins.record_success(session, KEY, started_at)
    assert await _start() is None


async def test_record_success_when_it_was_the_only_attempt_then_no_row_is_left(auth: AuthClient, email: str) -> None:
    assert (await auth.login(email)).status_code == 200
    async with db_sessions() as session:
        assert (await session.scalars(select(FailedLogin))).all() == []
