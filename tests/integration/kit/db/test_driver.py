"""Statements that are executed on the driver belong to the transaction of their session."""

import asyncpg
import pytest
from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from kit.db.driver import DriverStatement
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
