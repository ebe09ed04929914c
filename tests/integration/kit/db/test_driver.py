"""Statements that are executed on the driver belong to the transaction of their session, or have a transaction of their own."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.db.driver import ConnectionLost, DriverStatement
from tests.fixtures.kit_messaging import Sessions
from tests.fixtures.kit_tables import Effect

ADD = DriverStatement(insert(Effect).values(of=bindparam("name")).returning(Effect.id))
BY_ID = DriverStatement(select(Effect.of).where(Effect.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))))
RENAME = DriverStatement(update(Effect).where(Effect.of == bindparam("old")).values(of=bindparam("new")))
TYPES = DriverStatement(
    select(
        bindparam("objects", type_=ARRAY(JSONB)), bindparam("names", type_=ARRAY(Text)), bindparam("one", type_=JSONB)
    )
)


async def test_statement_when_the_transaction_is_rolled_back_then_so_is_its_effect(sessions: Sessions) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))
        (added,) = await ADD.fetch(session, name="a")
        assert [row["of"] for row in await BY_ID.fetch(session, ids=[added["id"], -1])] == ["a"]
        await session.rollback()
    async with sessions.begin() as session:
        await session.execute(text("SELECT 1"))
        assert await BY_ID.fetch(session, ids=[added["id"]]) == []
        (kept,) = await ADD.fetch(session, name="b")
        await RENAME.fetch(session, old="b", new="c")
    async with sessions() as session:
        assert await session.scalar(select(Effect.of).where(Effect.id == kept["id"])) == "c"


async def test_statement_when_parameters_are_json_then_they_are_sent_and_returned_as_by_the_session(
    sessions: Sessions,
) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))
        values = {"objects": [{"size": "M"}, {}], "names": ["a", None], "one": {"a": [1]}}
        (row,) = await TYPES.fetch(session, **values)
        assert list(row) == list(values.values())


async def test_statement_when_it_fails_then_the_error_is_that_of_the_driver_and_the_session_can_be_used_again(
    sessions: Sessions,
) -> None:
    broken = DriverStatement(text("SELECT 1 / CAST(:zero AS bigint)"))
    async with sessions() as session:
        await session.execute(text("SELECT 1"))
        with pytest.raises(asyncpg.DivisionByZeroError):
            await broken.fetch(session, zero=0)
        await session.rollback()
        assert await session.scalar(text("SELECT 2")) == 2


BROKEN = DriverStatement(text("SELECT 1 / CAST(:zero AS bigint)"))
PID = DriverStatement(text("SELECT pg_backend_pid() AS pid"))
SLEEP = DriverStatement(text("SELECT pg_sleep(CAST(:seconds AS double precision)), 'slow ' || :name"))
END_ALL = DriverStatement(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = any(:pids)"))
IS_RUNNING = text(
    "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%''slow ''%' AND pid <> pg_backend_pid()"
)


async def idle_connections(engine: AsyncEngine) -> set[int]:
    """Return the process ids of the connections in the pool, which are used in turns."""
    return {(await PID.fetch_alone(engine))[0]["pid"] for _ in range(20)}


async def test_statement_alone_is_committed_and_leaves_no_transaction_open(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))  # takes another connection than the statements below
        (added,) = await ADD.fetch_alone(engine, name="alone")
        (own,) = await PID.fetch_alone(engine)
        state = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
        assert await session.scalar(state, {"pid": own["pid"]}) == "idle"
        await RENAME.fetch(session, old="alone", new="changed")
        await session.rollback()
    assert [row["of"] for row in await BY_ID.fetch_alone(engine, ids=[added["id"]])] == ["alone"]


async def test_statement_alone_when_it_fails_then_its_connection_can_be_used_again(engine: AsyncEngine) -> None:
    before = await idle_connections(engine)
    for _ in range(20):  # more often than there are connections
        with pytest.raises(asyncpg.DivisionByZeroError):
            await BROKEN.fetch_alone(engine, zero=0)
    assert await idle_connections(engine) == before


async def test_statement_alone_when_its_connection_is_dead_then_connection_lost_and_a_transaction_gets_a_living_one(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async with sessions() as session:
        await session.execute(text("SELECT 1"))
        assert await END_ALL.fetch(session, pids=[*await idle_connections(engine)])
    with pytest.raises(ConnectionLost):
        await idle_connections(engine)
    async with sessions.begin() as session:
        assert await session.scalar(text("SELECT 2")) == 2


async def test_statement_alone_when_the_server_ends_it_then_connection_lost(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    ends_itself = DriverStatement(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    for _ in range(20):
        with pytest.raises(ConnectionLost):
            await ends_itself.fetch_alone(engine)


async def test_statement_alone_when_it_is_cancelled_then_its_connection_is_not_used_again(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    for _ in range(2):
        running = asyncio.create_task(SLEEP.fetch_alone(engine, seconds=60, name="x"))
        async with asyncio.timeout(10), sessions() as session:
            while (pid := await session.scalar(IS_RUNNING)) is None:
                await session.rollback()
                await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert pid not in await idle_connections(engine)
