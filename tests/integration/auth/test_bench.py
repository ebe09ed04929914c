"""What the benchmarks write into the tables of auth is what auth itself would have written."""

from collections.abc import AsyncIterator

import asyncpg
import jwt
import pytest

from bench import auth_memory, refresh_app, sessions
from contracts.tokens import AccessClaims
from services.auth.settings import settings
from tests.fixtures.auth import AuthClient

URL = settings.auth_database_url.get_secret_value()


@pytest.fixture
async def database(auth: AuthClient) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(URL, timeout=10)
    yield connection
    await connection.close(timeout=10)


async def account_of(database: asyncpg.Connection, email: str) -> str:
    return str(await database.fetchval("SELECT id FROM accounts WHERE email = $1", email, timeout=10))


async def test_sessions_of_the_benchmark_can_be_refreshed(
    auth: AuthClient, database: asyncpg.Connection, email: str
) -> None:
    (session,) = await sessions.begin(database, await account_of(database, email), 1)
    for _ in range(2):
        answer = await auth.refresh(session.token)
        assert answer.status_code == 200
        session.received(answer.content)


async def test_refresh_app_changes_the_same_columns_as_auth(
    auth: AuthClient, database: asyncpg.Connection, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rows() -> dict[str, asyncpg.Record]:
        return {row["token_prefix"]: row for row in await database.fetch("SELECT * FROM login_sessions", timeout=10)}

    own, other = await sessions.begin(database, await account_of(database, email), 2)
    before = await rows()
    pool = await refresh_app.create_pool(URL, 1)
    monkeypatch.setitem(refresh_app.state, "pool", pool)
    token, row = await refresh_app.refresh(other.token)
    await pool.close()
    assert token != other.token
    assert (
        AccessClaims.model_validate(jwt.decode(refresh_app.sign(row), options={"verify_signature": False})).email
        == email
    )
    assert (await auth.refresh(own.token)).status_code == 200
    after = await rows()
    keys = [token.partition(".")[0] for token in (own.token, other.token)]
    changed = [{name for name, value in after[key].items() if value != before[key][name]} for key in keys]
    assert changed[0] - {"device"} == changed[1]


async def test_logins_with_attacked_names_of_the_benchmark_are_refused(
    auth: AuthClient, database: asyncpg.Connection, email: str
) -> None:
    await auth_memory.begin_pauses(database, [email])
    assert (await auth.login(email)).status_code == 429
