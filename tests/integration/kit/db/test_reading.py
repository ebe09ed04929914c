"""Reads use their own connections, survive a dead one, and cannot write."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import bindparam, event, insert, literal_column, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from dev.servers.postgres import Postgres
from kit.db.errors import may_succeed_later, sqlstate
from kit.db.reading import create_reading_engine, create_reading_sessionmaker
from kit.db.statements import Statement, fetch
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Effect

Reads = async_sessionmaker[AsyncSession]
END_ALL = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'reads-reading'
"""


@pytest.fixture
async def reading_engine(postgres: Postgres, sessions: Sessions) -> AsyncIterator[AsyncEngine]:
    engine = create_reading_engine(SecretStr(postgres.owner_url("kit")), name="reads", connections=3)
    yield engine
    await engine.dispose()


@pytest.fixture
def reads(reading_engine: AsyncEngine) -> Reads:
    return create_reading_sessionmaker(reading_engine)


@pytest.fixture
async def killer(postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the same role, which may end the others."""
    connection = await asyncpg.connect(postgres.owner_url("kit"), timeout=5)
    yield connection
    await connection.close(timeout=5)


async def read_one(reads: Reads) -> int:
    async with reads() as session:
        found: int = (await session.execute(text("SELECT 1"))).scalar_one()
        return found


async def test_read_when_idle_connections_were_ended_is_repeated(reads: Reads, killer: asyncpg.Connection) -> None:
    for _ in range(3):
        await asyncio.gather(*(read_one(reads) for _ in range(3)))
        assert await killer.fetchval(END_ALL) >= 1
        assert await asyncio.gather(*(read_one(reads) for _ in range(3))) == [1, 1, 1]


async def test_read_when_its_connection_is_ended_between_two_statements_keeps_loaded_objects(
    reads: Reads, sessions: Sessions, killer: asyncpg.Connection
) -> None:
    async with sessions.begin() as session:
        await session.execute(insert(Effect).values(of="first"))
    async with reads() as session:
        effect = (await session.execute(select(Effect))).scalar_one()
        await killer.fetchval(END_ALL)
        assert await session.scalar(select(Effect.of)) == "first"
        await killer.fetchval(END_ALL)
        assert list(await session.scalars(select(Effect.of))) == ["first"]
        await killer.fetchval(END_ALL)
        again = await session.get(Effect, effect.id, populate_existing=True)
        assert again is not None
        assert (effect.of, again.of) == ("first", "first")


async def test_read_when_its_connection_is_ended_twice_fails_once_and_can_be_repeated(
    reads: Reads, killer: asyncpg.Connection
) -> None:
    """The second attempt is the last one."""
    ending = text("SELECT pg_terminate_backend(pg_backend_pid())")
    async with reads() as session:
        with pytest.raises(DBAPIError) as ended:
            await session.execute(ending)
        assert may_succeed_later(ended.value)
    assert await read_one(reads) == 1


@pytest.mark.parametrize(
    "statement", ["INSERT INTO effects (of) VALUES ('x')", "DELETE FROM effects", "CREATE TABLE extra (id int)"]
)
async def test_statement_when_it_writes_is_refused(reads: Reads, statement: str) -> None:
    async with reads() as session:
        with pytest.raises(DBAPIError) as refused:
            await session.execute(text(statement))
    assert sqlstate(refused.value) == "25006"  # read_only_sql_transaction


async def test_statement_when_it_is_wrong_is_not_repeated(reads: Reads, reading_engine: AsyncEngine) -> None:
    attempts = []
    event.listen(reading_engine.sync_engine, "before_cursor_execute", lambda *arguments: attempts.append(arguments[2]))
    async with reads() as session:
        with pytest.raises(DBAPIError):
            await session.execute(text("SELECT no_such_column"))
    assert attempts == ["SELECT no_such_column"]


async def test_read_when_it_is_slow_is_cancelled(reads: Reads) -> None:
    async with reads() as session:
        with pytest.raises(DBAPIError) as cancelled:
            await session.execute(text("SELECT pg_sleep(60)"))
    assert sqlstate(cancelled.value) == "57014"


ANSWER = Statement(select(literal_column("1").label("one"), bindparam("given", type_=JSONB).label("given")))


async def test_statement_when_its_connections_were_ended_is_repeated(
    reading_engine: AsyncEngine, killer: asyncpg.Connection
) -> None:
    for _ in range(3):
        for _ in range(3):
            (row,) = await fetch(reading_engine, ANSWER, {"given": ["x"]})
            assert (row.one, row.given) == (1, ["x"])
        assert await killer.fetchval(END_ALL) >= 1


async def test_statement_when_it_ends_its_connection_or_is_slow_fails(reading_engine: AsyncEngine) -> None:
    for function in ("pg_terminate_backend(pg_backend_pid())", "pg_sleep(60)"):
        with pytest.raises(DBAPIError) as failed:
            await fetch(reading_engine, Statement(select(literal_column(function))), {})
        assert may_succeed_later(failed.value)
    assert await fetch(reading_engine, ANSWER, {"given": 1})


async def test_statement_when_an_argument_is_missing_is_not_sent(reading_engine: AsyncEngine) -> None:
    with pytest.raises(KeyError):
        await fetch(reading_engine, ANSWER, {})


async def test_read_opens_no_transaction(reads: Reads, killer: asyncpg.Connection) -> None:
    async with reads() as session:
        await session.execute(text("SELECT 1"))
        states = "SELECT state FROM pg_stat_activity WHERE application_name = 'reads-reading'"
        assert {row["state"] for row in await killer.fetch(states)} == {"idle"}
